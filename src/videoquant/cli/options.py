"""Options and helpers that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from videoquant.data import catalog
from videoquant.data.dataset import LabelledClip
from videoquant.data.video import Clip, frames
from videoquant.errors import DataError, NetworkError
from videoquant.network.graph import Network

VideoOption = Annotated[
    str | None,
    typer.Option("--video", metavar="CLIP", help="A video file, a folder of frames or a camera index."),
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="A folder of still images.")
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME:PATH[#SPLIT]",
        help="A labelled data set, e.g. camvid:PATH#val; docs/data.md lists them.",
    ),
]
MeanOption = Annotated[
    str | None, typer.Option(help="Preprocessing: mean per channel, e.g. 0.485,0.456,0.406.")
]
StdOption = Annotated[str | None, typer.Option(help="Preprocessing: standard deviation per channel.")]
ScaleOption = Annotated[
    str | None, typer.Option(help="Preprocessing: multiplies the pixels 0..255, e.g. 1/255.")
]
ColorOption = Annotated[str | None, typer.Option(help="Preprocessing: RGB, BGR, or Y for luma alone.")]
FitOption = Annotated[
    str | None,
    typer.Option(
        help="Preprocessing: stretch the frame, crop its centre, or pad it below and right, unresized."
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        help="What the outputs mean: classification, segmentation, pose, landmarks, super-resolution."
    ),
]


def open_source(video: str | None, images: Path | None, dataset: str | None) -> Clip:
    """The clip of --video, the stills of --images or the --dataset, exactly one of which must be given."""
    given = [source for source in (video, images, dataset) if source is not None]
    if len(given) != 1:
        raise DataError("give one of --video CLIP, --images DIR and --dataset NAME:PATH")
    if images is not None and not os.path.isdir(images):
        raise DataError(f"--images {images}: not a folder")
    clip = open_clip(dataset) if dataset is not None else frames(given[0])
    clip.check()
    return clip


def open_clip(text: str) -> Clip:
    """The frames of a data set, with their targets, or a clip; see `videoquant.data.open`."""
    source = catalog.open(text)
    return source if isinstance(source, Clip) else source.clip()


def are_stills(clip: Clip, images: Path | None) -> bool:
    """Whether frames have nothing to do with the one before."""
    return images is not None or (isinstance(clip, LabelledClip) and not clip.dataset.is_video)


def channels_match(network: Network) -> None:
    """Raise `NetworkError` unless the network takes the channels that frames have: three, or luma alone."""
    color, channels = network.preprocessing.color, network.input_shape[1]
    if channels != network.preprocessing.channels:
        hint = "; --color Y gives it luma" if channels == 1 else ""
        raise NetworkError(f"{network.name}: takes {channels} channels, not {color}{hint}")
