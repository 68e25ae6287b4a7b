"""What lies in a box: its mask, of prototypes and coefficients (YOLACT), and its keypoints.

A mask is σ(Σ coefficient · prototype) within the box (Bolya et al., ICCV 2019), foreground above one half.
Two boxes that are one thing agree by the overlap of their masks, and by keypoints that lie near each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

VISIBLE = 0.5  # from which a keypoint counts as there
NEAR = 8  # pixels of the input: a cell of the finest stride, in which two keypoints are the same


def mask_values(coefficients: Array, prototypes: Array) -> Array:
    """Σ coefficient · prototype, whose sigmoid is a mask. N×M and M×h×w give N×h×w."""
    count, height, width = prototypes.shape
    with np.errstate(all="ignore"):  # a broken network may give anything
        return (coefficients @ prototypes.reshape(count, -1)).reshape(-1, height, width)


def within(values: Array, corners: Array) -> Array:
    """A map h×w that is 0 where a pixel's centre lies outside of a box, in pixels of the map."""
    left, top, right, bottom = corners
    rows, columns = (np.arange(side) + 0.5 for side in values.shape)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    return np.where(inside, values, np.float32(0))


def masks_within(coefficients: Array, prototypes: Array, corners: Array) -> NDArray[np.bool_]:
    """The masks of boxes, bool N×h×w. corners: of the boxes, in pixels of the prototypes."""
    values = mask_values(coefficients, prototypes)
    masks = [within(value, box) > 0 for value, box in zip(values, corners, strict=True)]
    return np.array(masks, bool).reshape(values.shape)


def mask_overlaps(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of masks N×h×w, pair by pair: N; of two empty ones 0."""
    both = (a & b).sum((1, 2)).astype(np.float64)
    either = (a | b).sum((1, 2))
    shares: NDArray[np.float64] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shares


def near(a: Array, b: Array) -> int:
    """How many keypoints of paired boxes, both N×K×3, are visible in both and at most `NEAR` apart."""
    seen = (a[..., 2] > VISIBLE) & (b[..., 2] > VISIBLE)
    return int((seen & (np.hypot(*np.moveaxis(a[..., :2] - b[..., :2], -1, 0)) <= NEAR)).sum())


def visible(points: Array) -> int:
    """How many of keypoints N×K×3 are visible."""
    return int((points[..., 2] > VISIBLE).sum())
