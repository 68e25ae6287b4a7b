"""Where in the picture a frame's work was done: what `videoquant run --paint` shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.program import Op
from videoquant.runtime.session import Session


def changed(
    session: Session,
    layers: Sequence[tuple[str, int, int, str]],
    ops: Sequence[Op],
    size: Sequence[int],
) -> NDArray[np.float32]:
    """The share of a dense frame's multiply–accumulates that the last frame took, place by place.

    layers: what `Stream.layers` says.
    ops: of the program that ran.
    size: (H, W) of the network's input.
    Returns H×W, 0 … 1. A layer's work lies where its input changed, in proportion to the channels that did
    where only those were computed; or over all places alike, where it computed everything. Layers are
    weighted by their MACs.
    """
    height, width = size
    total, dense = np.zeros((height, width), np.float32), 0
    for op, (_, macs, done, how) in zip(ops, layers, strict=True):
        if macs == 0:
            continue
        dense += macs
        moved = session.moved(op.inputs[0])
        total += macs * _enlarged(_spread(moved, done / macs, how), height, width)
    if dense:
        total /= dense
    else:
        total += 1
    return total


def _spread(moved: NDArray[np.uint16] | None, share: float, how: str) -> NDArray[np.float32]:
    """A layer's share of work by place: as large everywhere as its input changed there. h×w.

    Where it is not known what changed, or all of the layer was computed, one share for all places: 1×1.
    """
    if moved is None or share >= 1 or not moved.any():
        return np.full((1, 1), share, np.float32)
    # The top bit marks changes too large for the residual kernel, which takes the pixel in full.
    weight = (moved & 0x7FFF if how == "residual" else moved > 0).astype(np.float32)
    if not weight.any():
        return np.full((1, 1), share, np.float32)
    # A window reaches beyond what changed, so more is computed than changed: a place counts as 1 at most.
    spread: NDArray[np.float32] = np.minimum(weight * np.float32(share / weight.mean()), np.float32(1))
    return spread


def _enlarged(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map at another resolution; every pixel is the nearest one's."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    enlarged: NDArray[np.float32] = values[rows[:, None], columns]
    return enlarged
