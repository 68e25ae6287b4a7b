"""The pictures of a comparison as one film: a frame under every scheme in turn, then the next frame.

Neighbours differ only in what is drawn, so that 60 frames under 13 schemes take little more than 60 pictures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.comparison import Row

RATE = 25  # pictures a second: only what a place in the film is divided by
CRF = 40  # VP9's constant quality, 0 … 63: at 40 edges of what is drawn are sharp, film grain is not
FRAMES_PER_KEY = 4  # of the clip: a seek decodes at most so many times the number of schemes
MOST_BYTES = 1_300_000  # a third more as text; the page shall stay below 3 MB


@dataclass(frozen=True)
class Film:
    """data: a WebM (VP9), whose picture f · rows + r is row r's of the f-th frame.

    places: which of the rows' pictures the frames are. size: (width, height).
    """

    data: bytes
    places: list[int]
    size: tuple[int, int]

    @property
    def pictures(self) -> int:
        return len(self.places)


def film(rows: Sequence[Row], most: int = MOST_BYTES) -> Film:
    """All that rows have drawn, or every second, fourth, … frame where it would take more bytes than `most`.

    Rows hold equally many pictures; of unequal ones the first that all have. Pictures of another shape
    than the first are fitted into it. A single frame is kept however large it is.
    """
    count = min((len(row.pictures) for row in rows), default=0)
    if not count:
        return Film(b"", [], (0, 0))
    width, height = Image.open(io.BytesIO(rows[0].pictures[0])).size
    size, step = (width + width % 2, height + height % 2), 1
    while True:
        places = list(range(step - 1, count, step)) or [0]
        data = _encoded(rows, places, size)
        if len(data) <= most or len(places) == 1:
            return Film(data, places, size)
        step *= 2


def _encoded(rows: Sequence[Row], places: Sequence[int], size: tuple[int, int]) -> bytes:
    """VP9, since every browser plays it and it is free of charge."""
    file = io.BytesIO()
    # bitexact: no random identifiers, so that the same pictures give the same film.
    with av.open(file, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        stream.gop_size = FRAMES_PER_KEY * len(rows)
        stream.options = {
            "crf": str(CRF), "b": "0", "deadline": "realtime", "cpu-used": "7", "lag-in-frames": "0",
            "auto-alt-ref": "0", "threads": "1", "flags": "+bitexact",
        }  # fmt: skip
        number = 0
        for place in places:
            for row in rows:
                frame = av.VideoFrame.from_ndarray(_opened(row.pictures[place], size), format="rgb24")
                frame.pts, number = number, number + 1
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _opened(picture: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if image.size != size:
        fitted = Image.new("RGB", size)
        image.thumbnail(size)
        fitted.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
        image = fitted
    return np.asarray(image)
