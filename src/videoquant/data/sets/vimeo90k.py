"""Vimeo-90K: 91 701 sequences of seven frames, 448×256, for the super-resolution of video.

    PATH/sep_trainlist.txt, PATH/sep_testlist.txt    (lines such as 00001/0266)
    PATH/sequences/00001/0266/im1.png … im7.png

Inputs are made as in `super_resolution`.
Xue et al.: Video enhancement with task-oriented flow, IJCV 2019; toflow.csail.mit.edu.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.sets.files import choose, lines, part
from videoquant.data.sets.super_resolution import SCALES, reduced
from videoquant.errors import DataError

FRAMES = 7


def open_vimeo90k(root: Path, split: str | None = None) -> Dataset:
    """The septuplets of "test-x4" (default) or "train-x4", or with x2 or x3 for another scale.

    Raises `DataError` where the list, the folder `sequences` or the first sequence is missing; what is
    missing elsewhere raises it at its turn.
    """
    splits = tuple(f"{part}-x{scale}" for part in ("train", "test") for scale in SCALES)
    split = choose(split, splits, "test-x4", f"vimeo90k:{root}")
    use, scale = split.split("-x")
    sequences = part(root, "sequences", "Vimeo-90K")
    file = part(root, f"sep_{use}list.txt", "Vimeo-90K (septuplets)")
    names = lines(file)
    odd = next((name for name in names if not re.fullmatch(r"\d+/\d+", name)), None)
    if odd:
        raise DataError(f"{file}: has the line {odd!r}; lines are sequences such as 00001/0266")
    part(sequences, names[0], f"the list {file.name}")
    samples = _Frames(sequences, names, range(FRAMES * len(names)), int(scale))
    return Dataset("vimeo90k", "super-resolution", split, splits, samples)


@dataclass(frozen=True)
class _Frames(Sequence[Sample]):
    """The frames of all sequences, made when asked for: of the training set there are 450 000."""

    folder: Path
    names: list[str]
    chosen: range
    scale: int

    def __len__(self) -> int:
        return len(self.chosen)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> _Frames: ...
    def __getitem__(self, index: int | slice) -> Sample | _Frames:
        if isinstance(index, slice):
            return _Frames(self.folder, self.names, self.chosen[index], self.scale)
        sequence, frame = divmod(self.chosen[index], FRAMES)
        name = self.names[sequence]
        file = self.folder / name / f"im{frame + 1}.png"
        return reduced(file, f"{name}/im{frame + 1}", name, frame, self.scale)
