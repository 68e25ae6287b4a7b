"""What a quantized network is trained on: clips of one period, a keyframe and its residual frames.

They are made of labelled stills or cut from videos; without a time axis they are single frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from videoquant.calibration.sampling import calibration_spans, evenly
from videoquant.data.dataset import Dataset, LabelledClip, LabelledFrame
from videoquant.data.video import Clip, Frame
from videoquant.errors import DataError
from videoquant.network.graph import Network
from videoquant.training.losses import relative_error
from videoquant.training.objectives import LabelledObjective, Objective, Pair
from videoquant.training.recipe import Recipe

WINDOWS = 64  # clips that are cut from a video


@dataclass
class FilmedStills(Objective):
    """Clips over labelled stills, by a moving camera (`camera.py`); the loss on every frame.

    labelled: the stills and the loss.
    output: the output that it is taken of.
    frames: of a clip; with 1, crops as in training in floating point.
    """

    labelled: LabelledObjective
    output: str
    frames: int

    def __post_init__(self) -> None:
        self.recipe, self.name = self.labelled.recipe, self.labelled.name

    def __len__(self) -> int:
        return len(self.labelled)

    def pair(self, index: int) -> Pair:
        return self.labelled.pair(index)

    def example(self, pair: Pair, random: np.random.Generator) -> Pair:
        if self.frames > 1:
            return self.labelled.film(pair, self.frames, random)
        pixels, values = self.labelled.example(pair, random)
        return pixels[None], values[None]

    def collate(self, examples: list[Pair]) -> tuple[Tensor, Tensor]:
        """B×T×C×h×w, and the targets of B·T frames."""
        inputs = self.labelled.prepared(np.concatenate([pixels for pixels, _ in examples]))
        targets = self.labelled.targets(np.concatenate([values for _, values in examples]))
        return inputs.view(len(examples), self.frames, *inputs.shape[1:]), targets

    def loss(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        return self.labelled.loss(outputs[self.output], targets)


class VideoWindows(Objective):
    """Stretches of a video, as they are: whole frames, nothing added.

    network: in the size of its inputs, to which frames are resized.
    clip: up to `WINDOWS` stretches of `frames` frames, spread over its length; they are read once and kept.
    labelled, output: the loss on every frame that has a label, as of `FilmedStills`. Where not all frames
        have one, every stretch holds at least one label: the first stretch on its first frame, the next on
        its second, and so on. None for distillation, where each frame's outputs should be those of the
        network in floating point (`relative_error`).
    Raises `DataError` where the video is shorter than a stretch.
    """

    def __init__(
        self,
        network: Network,
        clip: Clip,
        frames: int,
        recipe: Recipe,
        labelled: LabelledObjective | None = None,
        output: str = "",
    ) -> None:
        self.network, self.recipe, self.name = network, recipe, clip.name
        self._labelled, self._output, self._frames = labelled, output, frames
        dataset = clip.dataset if isinstance(clip, LabelledClip) else None
        sequences = [
            s for s in (dataset.clips.values() if dataset else [range(len(clip))]) if len(s) >= frames
        ]
        if labelled is None or dataset is None or all(sample.is_labelled for sample in dataset):
            spans = calibration_spans(sequences, frames, WINDOWS)
        else:
            spans = _spans_with_labels(dataset, sequences, frames)
        if not spans:
            raise DataError(f"{clip.name}: has {len(clip)} frames; a clip to train on needs {frames}")
        pictures = [self._pair_of(frame) for frame in clip.runs(spans)]
        windows = [pictures[i : i + frames] for i in range(0, len(pictures), frames)]
        self._clips = [
            (np.stack([pixels for pixels, _ in window]), np.stack([values for _, values in window]))
            for window in windows
            if len(window) == frames
        ]

    def _pair_of(self, frame: Frame) -> Pair:
        if self._labelled is None:
            return frame.pixels, np.zeros(0, np.uint8)
        assert isinstance(frame, LabelledFrame)
        read = self._labelled.read if frame.sample.is_labelled else self._labelled.unlabelled
        return read(frame.sample)

    def __len__(self) -> int:
        return len(self._clips)

    def pair(self, index: int) -> Pair:
        return self._clips[index]

    def example(self, pair: Pair, random: np.random.Generator) -> Pair:
        return pair

    def collate(self, examples: list[Pair]) -> tuple[Tensor, Tensor]:
        """B×T×C×h×w, and the targets of B·T frames: of labels, or for distillation the inputs themselves."""
        frames = [self.network.prepare(pixels) for clip, _ in examples for pixels in clip]
        inputs = torch.stack(frames).contiguous().view(len(examples), self._frames, *frames[0].shape[1:])
        if self._labelled is None:
            return inputs, inputs
        return inputs, self._labelled.targets(np.concatenate([values for _, values in examples]))

    def loss(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        if self._labelled is not None:
            return self._labelled.loss(outputs[self._output], targets)
        with torch.no_grad():
            right = [on_device(self.network, targets.device).run(x[None]) for x in targets.flatten(0, 1)]
        errors = [relative_error(y, torch.cat([r[name] for r in right])) for name, y in outputs.items()]
        return torch.stack(errors).mean()


def _spans_with_labels(dataset: Dataset, sequences: Sequence[range], frames: int) -> list[range]:
    """Up to `WINDOWS` stretches around labelled frames, evenly chosen; none reaches into the one before."""
    labelled = [(at, s) for s in sequences for at in s if dataset[at].is_labelled]
    spans: list[range] = []
    for i, (at, sequence) in enumerate(evenly(labelled, WINDOWS)):
        start = min(max(at - i % frames, sequence.start), sequence.stop - frames)
        if not spans or start >= spans[-1].stop:
            spans.append(range(start, start + frames))
    return spans


@lru_cache(maxsize=2)
def on_device(network: Network, device: torch.device) -> Network:
    """A network with its tensors on a device."""
    tensors = {name: tensor.to(device) for name, tensor in network.tensors.items()}
    return network.with_tensors(tensors)
