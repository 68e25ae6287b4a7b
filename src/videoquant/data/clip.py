"""A clip: frames in order and one at a time, whatever they come from. Image files are the simplest."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.data.images import read_image
from videoquant.errors import DataError, refused_as

DEFAULT_RATE = 25.0  # frames per second of what has no rate of its own: images, and videos that do not say


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame that costs nothing until `read` makes its pixels. index, time: see `Frame`."""

    read: Callable[[], NDArray[np.uint8]]
    index: int
    time: float | None = None


Pictures = Generator[Picture, None, None]


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a stream. `np.asarray(frame)` gives its pixels.

    pixels: uint8 RGB, H×W×3.
    index: its number in the source, from 0, by which a stream sees a seek; damaged frames count.
    time: when it is shown, in seconds from the first; None where the source has no times but its rate.
    source: of several clips that are joined, the number of its own.
    """

    pixels: NDArray[np.uint8]
    index: int
    time: float | None = field(default=None, kw_only=True)
    source: int = field(default=0, kw_only=True)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype=dtype, copy=copy)


class ClipWarning(UserWarning):
    """A clip is damaged, cut short, or begins in the middle. Says how many frames could be read."""


class Clip(ABC):
    """A source of frames. Nothing is held but the frame in hand; every iteration starts at the first frame.

    name: of the file or folder, for reports.
    size: (height, width) of the first frame; images of a folder may differ from it.
    rate: frames per second.
    is_live: whether frames come as they happen, without end.
    """

    name: str
    size: tuple[int, int]
    rate: float
    is_live = False

    def __iter__(self) -> Iterator[Frame]:
        return self.runs([range(sys.maxsize)])

    @abstractmethod
    def __len__(self) -> int:
        """The number of frames. Raises `DataError` for a camera."""

    def index_at(self, position: int) -> int:
        """The index of the frame at a position: the same, except in a data set of several sequences."""
        return position

    def runs(self, spans: Sequence[range]) -> Iterator[Frame]:
        """Only the frames whose index lies in one of the spans, read in one pass that stops after the last.

        spans: ascending and disjoint, e.g. [range(0, 3), range(40, 43)]; what is beyond the end is left out.
        Raises `DataError` for other spans.
        """
        spans = [span for span in spans if span]
        end = 0
        for span in spans:
            if span.step != 1 or span.start < end:
                raise DataError(f"{self.name}: spans of frames must ascend and be disjoint; got {span}")
            end = span.stop
        return self._select(spans)

    def _select(self, spans: Sequence[range]) -> Iterator[Frame]:
        waiting = deque(spans)
        with closing(self._pictures()) as pictures:
            while waiting and (picture := next(pictures, None)):
                # A damaged frame is missing, so that a span may end without its last.
                while waiting and picture.index >= waiting[0].stop:
                    waiting.popleft()
                if waiting and picture.index in waiting[0]:
                    with refused_as(DataError, f"{self.name}: frame {picture.index} cannot be shown"):
                        pixels = picture.read()
                    yield Frame(pixels, picture.index, time=picture.time)
                if waiting and picture.index == waiting[0].stop - 1:
                    waiting.popleft()

    def _first_size(self) -> tuple[int, int]:
        first = next(self.runs([range(sys.maxsize)]))  # not number 0 where that is damaged
        return first.pixels.shape[0], first.pixels.shape[1]

    def check(self) -> None:  # noqa: B027 - not every source can tell
        """Warn (`ClipWarning`) where the source is shorter than it announces; costs what `len` costs."""

    @abstractmethod
    def _pictures(self) -> Pictures:
        """Every frame in order."""


class Stills(Clip):
    """Image files as frames, at `DEFAULT_RATE`. A damaged one raises `DataError` when its turn comes."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name, self.rate = name, DEFAULT_RATE
        self.files = tuple(files)
        self.size = self._first_size()

    def __len__(self) -> int:
        return len(self.files)

    def _pictures(self) -> Pictures:
        for index, file in enumerate(self.files):
            yield Picture(partial(read_image, file), index)
