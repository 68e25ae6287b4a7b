"""A data set: samples with targets, read from their files when they are asked for and never held."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import overload

import numpy as np
from numpy.typing import NDArray

from videoquant.data.clip import DEFAULT_RATE, Clip, Frame, Picture, Pictures
from videoquant.data.targets import Target
from videoquant.errors import DataError


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and what is right about it.

    name: unique in its data set.
    clip: the sequence it belongs to; a still is a sequence of its own.
    index: its place in that sequence, from 0.
    read_pixels, read_target: what the two properties call; read_target is None for a frame without a label.
    """

    name: str
    clip: str
    index: int
    read_pixels: Callable[[], NDArray[np.uint8]]
    read_target: Callable[[], Target] | None = None

    @property
    def is_labelled(self) -> bool:
        return self.read_target is not None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 RGB, H×W×3, read at every access. Raises `DataError` where its file is missing or damaged."""
        return self.read_pixels()

    @property
    def target(self) -> Target | None:
        """Read at every access; None where there is no label. Raises `DataError` where it is unusable."""
        return self.read_target() if self.read_target else None


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Sample]):
    """The samples of one split, the frames of a sequence one after the other. A slice is a `Dataset` again.

    name: as in the text that opens it, e.g. "camvid".
    task: one of `network.preprocessing.TASKS`.
    split: the one that was opened, e.g. "val".
    splits: those that could be.
    samples: made when asked for.
    labels: the names of the classes, joints or landmarks, () where they have none.
    rate: frames per second of its sequences.
    Raises `DataError` where there are no samples.
    """

    name: str
    task: str
    split: str
    splits: tuple[str, ...]
    samples: Sequence[Sample]
    labels: tuple[str, ...] = ()
    rate: float = DEFAULT_RATE

    def __post_init__(self) -> None:
        if not self.samples:
            raise DataError(f"{self.name}#{self.split}: holds no samples")

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return replace(self, samples=self.samples[index])
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return (self.samples[index] for index in range(len(self.samples)))

    @cached_property
    def clips(self) -> dict[str, range]:
        """The positions of every sequence, by its name, in order. Reads no file."""
        runs = {}
        start = 0
        for name, members in groupby(self, key=lambda sample: sample.clip):
            stop = start + sum(1 for _ in members)
            runs[name] = range(start, stop)
            start = stop
        return runs

    @property
    def is_video(self) -> bool:
        """Whether any sequence has more than one frame."""
        return len(self.clips) < len(self)

    def labelled(self) -> Dataset:
        """Those samples that have a label. Raises `DataError` where none has. Reads no file."""
        if all(sample.is_labelled for sample in self):
            return self
        samples = [sample for sample in self if sample.is_labelled]
        if not samples:
            raise DataError(f"{self.name}#{self.split}: no sample has a label")
        return replace(self, samples=samples)

    def clip(self, name: str | None = None) -> LabelledClip:
        """The frames, with their targets, as a `Clip` that every function of the library takes.

        name: of one sequence; None for all, one after the other. Raises `DataError` for a name that is none.
        """
        if name is None:
            return LabelledClip(self)
        if name not in self.clips:
            raise DataError(f"{self.name}#{self.split}: has no sequence {name!r}")
        span = self.clips[name]
        return LabelledClip(self[span.start : span.stop])


@dataclass(frozen=True, eq=False)
class LabelledFrame(Frame):
    """A frame that knows its sample; `frame.sample.target` reads the target."""

    sample: Sample


class LabelledClip(Clip):
    """A data set as a clip of `LabelledFrame`s.

    Spans of `runs` count positions in the data set. A frame's `index` is its position plus the number of
    sequences before its own: the gap is what a stream takes for a seek, so that no sequence, and no still,
    is predicted from the one before it. In a single sequence it is the position.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.rate = dataset, dataset.rate
        self.name = f"{dataset.name}#{dataset.split}"
        self.size = self._first_size()

    def __len__(self) -> int:
        return len(self.dataset)

    def index_at(self, position: int) -> int:
        return position + bisect_right(self._starts, position) - 1

    @cached_property
    def _starts(self) -> list[int]:
        return [span.start for span in self.dataset.clips.values()]

    def _select(self, spans: Sequence[range]) -> Iterator[Frame]:
        for frame in super()._select(spans):
            yield LabelledFrame(frame.pixels, self.index_at(frame.index), self.dataset[frame.index])

    def _pictures(self) -> Pictures:
        for position, sample in enumerate(self.dataset):
            yield Picture(sample.read_pixels, position)
