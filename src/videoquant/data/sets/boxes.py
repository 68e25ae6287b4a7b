"""What the data sets of boxes share: corners that are checked against the picture they lie in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videoquant.data.targets import Objects
from videoquant.errors import DataError


def objects(
    corners: Sequence[Sequence[float]],
    classes: Sequence[int],
    ignored: Sequence[bool],
    size: tuple[int, int],
    where: Sequence[str],
    tracks: Sequence[int] = (),
) -> Objects:
    """Boxes as a target, cut at the picture's edges.

    size: (height, width) of the picture. where: what each box is called in a message.
    Raises `DataError` for one that has no area, or of which nothing lies in the picture.
    """
    boxes = np.array(corners, np.float64).reshape(-1, 4)
    cut = boxes.clip(0, np.array([size[1], size[0]] * 2))
    outside = ~(cut[:, 2:] > cut[:, :2]).all(1)
    if outside.any():
        index = int(np.flatnonzero(outside)[0])
        box = ", ".join(f"{number:g}" for number in boxes[index])
        raise DataError(
            f"{where[index]}: a box from ({box}: left, top, right, bottom) lies outside its picture of "
            f"{size[0]}×{size[1]}, or has no area; mend the annotation"
        )
    return Objects(
        cut.astype(np.float32),
        np.array(classes, np.int64),
        np.array(ignored, bool),
        np.array(tracks, np.int64),
    )
