"""The frames that a comparison keeps to look at: each scheme's output drawn on them, small and compressed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.tasks import Task

SIDE = 480  # pixels of the longer side: what a page shows; small frames are enlarged to it, so lines are seen
QUALITY = 90


def drawn(task: Task, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> bytes:
    """An output over its frame, the longer side `SIDE` pixels, as JPEG.

    The frame is resized before it is drawn on, so that lines and texts have their width on the page. Where
    schemes draw the same they give the same blocks, which is what `report.film` lives on.
    """
    picture = _resized(task.draw(_resized(pixels), outputs))
    file = io.BytesIO()
    # Full colour resolution: halved colour would smear thin coloured lines.
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (
        2 * max(1, round(width * scale / 2)),
        2 * max(1, round(height * scale / 2)),
    )  # even, as films want it
    if size == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
