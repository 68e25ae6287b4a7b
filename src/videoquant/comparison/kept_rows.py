"""What was measured before: kept in a folder, found again by all that it depends on.

So a comparison that was stopped, or that gets one more scheme, goes on from what is done. Of simulation
alone: times belong to the run in which they were taken.
"""

from __future__ import annotations

import base64
import json
import warnings
from contextlib import suppress
from pathlib import Path

from videoquant.comparison.references import Piece, References
from videoquant.comparison.results import LAYER_STEP
from videoquant.comparison.seen import Seen
from videoquant.content_hash import ContentHash
from videoquant.data.dataset import LabelledFrame
from videoquant.errors import OutputError
from videoquant.files import output_folder, reason
from videoquant.kept_files import keep, kept
from videoquant.network.graph import Network
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import contents

SUFFIX = ".row"


class KeptRows:
    """What schemes showed on a clip, piece by piece. A folder that cannot be written is a warning, once."""

    def __init__(self, folder: Path, network: Network, references: References, stills: bool) -> None:
        self.folder, self._writes = folder, True
        self._network, self._references, self._stills = network, references, stills
        self._pieces: dict[Piece, str] = {}

    def key(self, quantized: QuantizedNetwork, piece: Piece) -> str:
        if piece not in self._pieces:
            self._pieces[piece] = self._hash(piece)
        tensors, header = contents(quantized)
        found = ContentHash()
        found.add_json([self._pieces[piece], header])
        found.add_tensors(tensors)
        return found.hexdigest()

    def _hash(self, piece: Piece) -> str:
        """Of the piece's frames and all else that does not depend on the scheme."""
        scored, found = self._references.scored, ContentHash()
        found.add_network(self._network)
        layers = piece.first % LAYER_STEP  # which frames are measured by layer
        found.add_json([self._stills, scored.picture_frames, scored.score is not None, layers])
        for frame in self._references.frames(piece):
            found.add_json(frame.index)
            found.add_array(frame.pixels)
            if scored.score is not None and isinstance(frame, LabelledFrame):
                found.add_value(frame.sample.target)
        return found.hexdigest()

    def find(self, key: str) -> Seen | None:
        for path in kept(self.folder, key, SUFFIX):
            with suppress(OSError):
                return seen_from_json(path.read_text(encoding="utf-8"))
        return None

    def keep(self, key: str, seen: Seen) -> None:
        if not self._writes:
            return
        try:
            written = output_folder(self.folder) / f"{key}{SUFFIX}"
            written.write_text(seen_to_json(seen), encoding="utf-8")
            keep(self.folder, key, SUFFIX, written)
        except (OutputError, OSError) as error:
            self._writes = False
            words = str(error) if isinstance(error, OutputError) else f"{self.folder}: {reason(error)}"
            warnings.warn(f"results are not kept: {words}", UserWarning, 2)


def seen_to_json(seen: Seen) -> str:
    pictures = [base64.b64encode(picture).decode("ascii") for picture in seen.pictures]
    return json.dumps(vars(seen) | {"pictures": pictures}, default=lambda number: number.item())


def seen_from_json(text: str) -> Seen:
    """The same, every number to the last bit, but for lists in place of tuples."""
    form = json.loads(text)
    return Seen(**form | {"pictures": [base64.b64decode(picture) for picture in form["pictures"]]})
