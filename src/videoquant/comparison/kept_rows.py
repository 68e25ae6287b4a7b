"""Rows that were measured before: kept in a folder, found again by all that they depend on.

So a comparison that was stopped, or that gets one more scheme, goes on from what is done. Rows of simulation
alone: times belong to the run in which they were taken.
"""

from __future__ import annotations

import base64
import json
import warnings
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from videoquant.comparison.layer_inputs import LayerInput
from videoquant.comparison.references import References
from videoquant.comparison.results import PredictedRanges, Row
from videoquant.content_hash import ContentHash
from videoquant.data.dataset import LabelledFrame
from videoquant.errors import OutputError
from videoquant.files import output_folder, reason
from videoquant.kept_files import keep, kept
from videoquant.network.graph import Network
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import contents

SUFFIX = ".row"
PLAIN = [
    field.name
    for field in fields(Row)
    if field.name not in ("pictures", "ranges", "on_chip", "clips", "file")
]


class KeptRows:
    """The rows of one clip in a folder. A folder that cannot be written is a warning, once."""

    def __init__(self, folder: Path, network: Network, references: References, stills: bool) -> None:
        self.folder, self._writes = folder, True
        scored = references.scored
        clip = ContentHash()
        clip.add_network(network)
        clip.add_json([stills, scored.picture_frames, scored.score is not None])
        for frame in references:
            clip.add_json(frame.index)
            clip.add_array(frame.pixels)
            if scored.score is not None and isinstance(frame, LabelledFrame):
                clip.add_value(frame.sample.target)
        self._clip = clip.hexdigest()

    def key(self, quantized: QuantizedNetwork) -> str:
        tensors, header = contents(quantized)
        found = ContentHash()
        found.add_json([self._clip, header])
        found.add_tensors(tensors)
        return found.hexdigest()

    def find(self, key: str) -> Row | None:
        for path in kept(self.folder, key, SUFFIX):
            with suppress(OSError):
                return row_from_json(path.read_text(encoding="utf-8"))
        return None

    def keep(self, key: str, row: Row) -> None:
        if not self._writes:
            return
        try:
            written = output_folder(self.folder) / f"{key}{SUFFIX}"
            written.write_text(row_to_json(row), encoding="utf-8")
            keep(self.folder, key, SUFFIX, written)
        except (OutputError, OSError) as error:
            self._writes = False
            words = str(error) if isinstance(error, OutputError) else f"{self.folder}: {reason(error)}"
            warnings.warn(f"results are not kept: {words}", UserWarning, 2)


def row_to_json(row: Row) -> str:
    """All of a row of one clip but its file and its chip, which are no measurements."""
    form: dict[str, Any] = {name: getattr(row, name) for name in PLAIN}
    form["ranges"] = [vars(ranges) for ranges in row.ranges]
    form["layer_inputs"] = {layer: vars(seen) for layer, seen in row.layer_inputs.items()}
    form["pictures"] = [base64.b64encode(picture).decode("ascii") for picture in row.pictures]
    return json.dumps(form, default=lambda number: number.item())


def row_from_json(text: str) -> Row:
    """The same row, every number to the last bit."""
    form = json.loads(text)
    form["ranges"] = [PredictedRanges(**ranges) for ranges in form["ranges"]]
    form["layer_inputs"] = {layer: LayerInput(**seen) for layer, seen in form["layer_inputs"].items()}
    form["pictures"] = [base64.b64decode(picture) for picture in form["pictures"]]
    form["computed"] = [(is_key, shares) for is_key, shares in form["computed"]]
    form["shares"] = _by_width(form["shares"])
    form["layer_shares"] = {layer: _by_width(shares) for layer, shares in form["layer_shares"].items()}
    return Row(**form)


def _by_width(shares: dict[str, float]) -> dict[int, float]:
    return {int(width): share for width, share in shares.items()}
