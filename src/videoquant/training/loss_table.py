"""The task loss of every picture under every choice of a policy, computed once and kept in a file.

The choices are frozen while a policy learns, so that the loss of picture i under choice k is a number,
L[i, k]. A step of training then costs the policy network alone.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.targets import ClassLabel, LabelMap, Target
from videoquant.errors import DataError, refused_as
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.stream import Stream
from videoquant.tasks import primary_output
from videoquant.torch_file import check_tensors, read_tensors, write_tensors
from videoquant.training.choices import fingerprint
from videoquant.training.losses import hard_cross_entropy
from videoquant.training.objectives import require_labels

FORMAT = "videoquant losses 1"
SAVE_SECONDS = 60


def loss_table(
    choices: Sequence[QuantizedNetwork],
    dataset: Dataset,
    path: Path,
    progress: Callable[[], None] | None = None,
) -> Tensor:
    """The losses, float32 N×2×K: of each picture as it is, and of its mirror image, under each choice.

    Cross-entropy: of segmentation the mean over the labelled pixels, of classification that of the class.
    path: the file that keeps them, by convention losses.safetensors; what it holds already of the same
        choices and data is not computed again.
    progress: called once per picture that was.
    Raises `DataError` for data without labels, for tasks without such a loss, for a loss that is not finite,
    and for a file of something else.
    """
    setup = {
        "choices": fingerprint(choices),
        "data": f"{dataset.name}#{dataset.split}, {len(dataset)} pictures",
    }
    check_labels(choices, dataset)
    nothing = torch.zeros(len(dataset), 2, len(choices), dtype=torch.float32, device="cpu")
    losses, done = _read(path, setup, nothing) or (nothing, 0)
    streams = [choice.stream() for choice in choices]
    saved = time.monotonic()
    try:
        while done < len(dataset):
            losses[done] = picture_losses(streams, dataset[done])
            done += 1
            if progress:
                progress()
            if time.monotonic() - saved > SAVE_SECONDS:
                _write(path, losses, done, setup)
                saved = time.monotonic()
    finally:  # also on Ctrl-C
        _write(path, losses, done, setup)
    return losses


def check_labels(choices: Sequence[QuantizedNetwork], dataset: Dataset) -> None:
    """Raise `DataError` where the data set has no labels that the choices' outputs can be held against."""
    network = choices[0].network
    if dataset.task not in ("segmentation", "classification"):
        raise DataError(
            f"{dataset.name} is labelled for {dataset.task}; policies are trained for segmentation and "
            "classification"
        )
    require_labels(dataset)
    classes = network.shapes[network.outputs[primary_output(network)]][1]
    if classes != len(dataset.labels):
        raise DataError(f"{network.name} has {classes} classes, {dataset.name} has {len(dataset.labels)}")
    if dataset.task == "segmentation" and network.preprocessing.fit != "stretch":
        raise DataError(f"{network.name} sees a part of the frame only, so its output has no label to match")


@torch.no_grad()
def picture_losses(streams: Sequence[Stream], sample: Sample) -> Tensor:
    """The losses of a picture and of its mirror image (rows) under each choice (columns)."""
    network, target = streams[0].quantized.network, sample.target
    assert target is not None
    x = network.prepare(sample.pixels)
    output = primary_output(network)

    def loss(stream: Stream, picture: Tensor, mirrored: bool) -> float:
        try:
            value = _cross_entropy(stream.run(picture)[output], target, mirrored)
        except DataError as error:
            raise DataError(f"{sample.name}, at {stream.quantized.scheme}: {error}") from error
        if not math.isfinite(value):
            scheme = stream.quantized.scheme
            raise DataError(f"{sample.name}: the loss of {network.name} at {scheme} is not finite")
        return value

    rows = [
        [loss(stream, picture, mirrored) for stream in streams]
        for picture, mirrored in ((x, False), (x.flip(3), True))
    ]
    return torch.tensor(rows, dtype=torch.float32, device="cpu")


def _cross_entropy(logits: Tensor, target: Target, mirrored: bool) -> float:
    if isinstance(target, ClassLabel):
        return float(F.cross_entropy(logits.flatten(1).float(), torch.tensor([target.index], device="cpu")))
    if not isinstance(target, LabelMap):
        raise DataError(f"a target is a {type(target).__name__}; policies learn from label maps and classes")
    labels = torch.from_numpy(target.labels.astype("int64"))[None]
    return float(hard_cross_entropy(logits, labels.flip(2) if mirrored else labels, target.void, hard=1.0))


def _write(path: Path, losses: Tensor, done: int, setup: dict[str, str]) -> None:
    write_tensors(path, {"losses": losses}, {"format": FORMAT, "setup": json.dumps(setup), "done": str(done)})


def _read(path: Path, setup: dict[str, str], nothing: Tensor) -> tuple[Tensor, int] | None:
    """The losses in a file, and of how many pictures; None where there is none. nothing: of their shape."""
    if not os.path.exists(path):
        return None
    header, tensors = read_tensors(path, FORMAT, "file of losses; give another folder", DataError)
    with refused_as(DataError, f"{path}: no file of losses, or damaged"):
        before, done = json.loads(header["setup"]), int(header["done"])
    if before != setup:
        raise DataError(f"{path}: holds the losses of other choices or data ({before}); give another folder")
    check_tensors(tensors, {"losses": nothing}, str(path), DataError)
    if not 0 <= done <= len(nothing):
        raise DataError(f"{path}: holds the losses of {done} of {len(nothing)} pictures")
    return tensors["losses"], done
