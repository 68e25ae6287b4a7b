"""What one scheme showed on frames that follow each other, before it is reduced to a row.

Lists in the order of frames, or of what is met on them: those of a clip's pieces, one after the other, are
those of the whole clip, and so is the row that is made of them, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from videoquant.comparison.layer_inputs import InputSeen


@dataclass
class Seen:
    """Numbers and pictures of one scheme.

    per_frame: as of `Row`.
    bops: of each frame.
    sqnr: of each frame, the primary output's energy and that of its error.
    layers: the same of a layer's output: layer, energy, error.
    shares: of residual frames: layer, bit-width, the share of its input.
    densities: of Dense + Sparse: layer, density.
    inputs: layer, and what its quantizer saw.
    ranges: of predicted ranges: layer, whether of residuals, position, average, quality, predicted, measured.
    computed, pictures: as of `Row`.
    agreements: of each piece, what `Agreement.add` takes.
    scores: of each piece, the measures against labels, and the first by label. A labelled clip is one piece.
    """

    per_frame: list[dict[str, Any]] = field(default_factory=list)
    bops: list[float] = field(default_factory=list)
    sqnr: list[tuple[float, float]] = field(default_factory=list)
    layers: list[tuple[str, float, float]] = field(default_factory=list)
    shares: list[tuple[str, int, float]] = field(default_factory=list)
    densities: list[tuple[str, float]] = field(default_factory=list)
    inputs: list[tuple[str, InputSeen]] = field(default_factory=list)
    ranges: list[tuple[str, bool, str, float, float, float, float]] = field(default_factory=list)
    computed: list[tuple[bool, dict[str, float]]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    agreements: list[dict[str, Any]] = field(default_factory=list)
    scores: list[tuple[dict[str, float], dict[str, float | None]]] = field(default_factory=list)


def together(pieces: Sequence[Seen]) -> Seen:
    """What was seen on pieces that follow each other."""
    lists = {f.name: [item for piece in pieces for item in getattr(piece, f.name)] for f in fields(Seen)}
    return Seen(**lists)
