"""Where in the picture a frame's work was done: what `videoquant run --paint` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.engine.session import Session


def changed(
    session: Session, program: str, operators: Sequence[dict[str, Any]], size: Sequence[int]
) -> NDArray[np.float32]:
    """The share of a dense frame's multiply–accumulates that the last frame took, place by place.

    operators: of the program that ran. size: (H, W) of the network's input.
    Returns H×W, 0 … 1. A layer's work lies evenly over the places where its input changed, or over all of
    them where it computed everything; layers are weighted by their MACs.
    """
    height, width = size
    total, dense = np.zeros((height, width), np.float32), 0
    for operator, (_, macs, done, _) in zip(operators, session.layers(program), strict=True):
        if macs == 0:
            continue
        dense += macs
        total += macs * _enlarged(_spread(session.moved(operator["inputs"][0]), done / macs), height, width)
    if dense:
        total /= dense
    else:
        total += 1
    return total


def _spread(moved: NDArray[np.uint16] | None, share: float) -> NDArray[np.float32]:
    """A layer's share of work, laid where its input changed: h×w; 1×1 where there is no telling."""
    if moved is None or share >= 1 or not moved.any():
        return np.full((1, 1), share, np.float32)
    touched = (moved > 0).astype(np.float32)
    # Of a window that reaches beyond what changed, more is computed than changed: at most all of it counts.
    spread: NDArray[np.float32] = np.minimum(touched * np.float32(share / touched.mean()), np.float32(1))
    return spread


def _enlarged(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map at another resolution; every pixel is the nearest one's."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    enlarged: NDArray[np.float32] = values[rows[:, None], columns]
    return enlarged
