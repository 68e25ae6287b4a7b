"""The NETWORK of a command: an ONNX file, the shipped network, or one of `models` with weights and size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videoquant.cli.console import busy, note
from videoquant.cli.options import Texts, said
from videoquant.cli.sizes import parse_size
from videoquant.data.dataset import LabelledClip
from videoquant.data.video import Clip, Stills
from videoquant.errors import NetworkError
from videoquant.models import ModelConfig, create, names
from videoquant.models.loading import SHIPPED, capture_model, check_plain, load
from videoquant.models.weights import require_weights, shipped_weights
from videoquant.network.box_layout import FAMILIES
from videoquant.network.graph import Network
from videoquant.quantized_onnx import without_quantizers
from videoquant.tasks import task_for
from videoquant.tasks.detection import Detection

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help=f"An ONNX file, or a network's name: {', '.join((*SHIPPED, *names()))}.",
    ),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="PATH",
        help="Weights of a network by name; default: those that ship, where there are some.",
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="HxW",
        help="The network's input, e.g. 360x480; default: of a file its own, of a network by name that of "
        "the frames for segmentation and super-resolution, else the published one.",
    ),
]


def open_network(
    name: str,
    checkpoint: Path | None = None,
    size: str | None = None,
    source: Clip | None = None,
    preprocessing: Texts | None = None,
    random_weights: bool = False,
) -> Network:
    """Load a network. preprocessing: replaces what it says of preprocessing and task.

    source: the frames it will see, which give a network by name its size and choose among its weights.
    Without any it is only looked at, so that random weights do where there are no others.
    random_weights: of a network by name, whatever weights there are.
    Raises `NetworkError` for random weights of a file, or beside a checkpoint.
    """
    wanted = None if size is None else parse_size(size, "--size")
    given = {option: said(option, text) for option, text in (preprocessing or {}).items()}
    if random_weights and (checkpoint is not None or name not in names()):
        known = (
            f"networks by name, {', '.join(names())},"
            if checkpoint is None
            else "networks without --checkpoint"
        )
        raise NetworkError(f"{name}: --random-weights is for {known} whose weights are not read")
    if name in names():
        check_plain(name, given)
        network = _open_model(name, checkpoint, wanted, source, random_weights)
        network.preprocessing = network.preprocessing.with_text(given)
    else:
        network = load(name, checkpoint=checkpoint, size=wanted, preprocessing=given)
        if any(node.op == "fake_quantize" for node in network.nodes):
            note(f"{name}: is quantized; here it is taken without its quantizers, with the weights it has")
            network = without_quantizers(network)
    _check_task(network, given)
    values, channels = len(network.preprocessing.mean), network.preprocessing.channels
    if values != channels:
        raise NetworkError(
            f"{network.name}: mean and std have {values} values, a picture in {network.preprocessing.color} "
            f"{channels} channels"
        )
    return network


def refuse_states(network: Network, command: str) -> None:
    """Raise `NetworkError` for a network with states, which a command has no streams for."""
    if network.states:
        states = ", ".join(network.states)
        raise NetworkError(f"{network.name}: has states ({states}); {command} takes networks without any")


def _check_task(network: Network, given: Texts) -> None:
    """Say where the outputs do not fit the task: an error for what an option says, a note for the file's."""
    named, task = network.preprocessing.task, task_for(network)
    if "anchors" in given and not getattr(task, "anchors", ()):
        of = f" of the family {task.family}" if isinstance(task, Detection) else ""
        raise NetworkError(f"--anchors: {network.name} has no boxes{of} that stand against anchors")
    if named is None or task is not None:
        return
    shapes = (f"{name} {'×'.join(map(str, network.shapes[v]))}" for name, v in network.outputs.items())
    text = f"its outputs ({', '.join(shapes)}) do not fit the task {named}"
    if named == "detection":
        family = network.preprocessing.boxes.family
        text = text if family is None else f"{text} of the family {family}"
        if any(side % 32 for side in network.size):
            size = "×".join(map(str, network.size))
            text += f"; an input of {size} may want sides that 32 divides"
        text += f"; --boxes names another family: {', '.join(FAMILIES)}"
    for option in ("boxes", "task"):
        if option in given:
            raise NetworkError(f"--{option} {given[option]}: {network.name}: {text}")
    if named == "detection":
        raise NetworkError(f"{network.name}: {text}")
    note(f"{network.name}: {text} that its file names; they are compared as numbers only")


def input_size(config: ModelConfig, source: Clip) -> tuple[int, int]:
    """The (height, width) that a network's input has by default for the frames of a source.

    For segmentation that of the first frame; for super-resolution, which must not resize, the largest height
    and width that occur (pictures of a folder or a data set are all read); else the published one.
    """
    task = config.preprocessing.task
    if task not in ("segmentation", "super-resolution"):
        return config.size
    labelled_stills = isinstance(source, LabelledClip) and not source.dataset.is_video
    if task == "segmentation" or not (labelled_stills or isinstance(source, Stills)):
        return source.size
    sizes = [frame.pixels.shape[:2] for frame in source]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def _open_model(
    name: str,
    checkpoint: Path | None,
    size: tuple[int, int] | None,
    source: Clip | None,
    random_weights: bool,
) -> Network:
    weights = checkpoint
    if checkpoint is None and not random_weights:
        dataset = source.dataset.name if isinstance(source, LabelledClip) else None
        weights = shipped_weights(name) if source is None else require_weights(name, dataset)
    module = create(name, weights)
    if size is None and source is not None:
        size = input_size(module.config, source)
    height, width = size or module.config.size
    with busy(f"capturing {name} at {height}×{width}"):
        network = capture_model(name, module, (height, width))
    if checkpoint is None:
        taken = f"weights {weights}" if weights else "random weights; only its structure means anything"
        note(f"{name}: {taken}")
    return network
