"""Options and helpers that several commands share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from videoquant.cli.console import note
from videoquant.data import catalog
from videoquant.data.dataset import LabelledClip
from videoquant.data.video import Clip, frames
from videoquant.errors import DataError, NetworkError
from videoquant.files import reason
from videoquant.network.box_layout import FAMILIES
from videoquant.network.preprocessing import TASKS, Preprocessing
from videoquant.tasks import Measure

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
VideosOption = Annotated[
    list[str] | None,
    typer.Option(
        "--video", metavar="CLIP", help="A video file, a folder of frames or a camera index; may be repeated."
    ),
]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="NAME:PATH[#SPLIT]",
        help="A labelled data set, e.g. camvid:PATH#val; docs/data.md lists them. May be repeated.",
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Where calibrations and results are kept to be found again; default: videoquant in the user's "
        "cache folder.",
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        metavar="WISH",
        help='What the recommended scheme surely keeps, e.g. "mask IoU >= 0.98". Default: within 1% of '
        "fp32, by the task's first measure.",
    ),
]
CostOption = Annotated[
    str | None,
    typer.Option(
        metavar="COST",
        help="What it is cheapest in: gbops, ms or mj. Default: ms with --engine or --chip, else gbops.",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="The table's columns, separated by commas, each by its name or how that begins. Default: those "
        "that fit the terminal.",
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Compute all anew, and keep nothing.")]
SOURCES = "give one of --video CLIP, --images DIR and --dataset NAME:PATH"
Texts = Mapping[
    str, str
]  # of preprocessing and task, by option, such as {"mean": "0.5,0.5,0.5", "color": "BGR"}
PREPROCESSING: dict[str, str] = {
    "mean": "Preprocessing: mean per channel, e.g. 0.485,0.456,0.406.",
    "std": "Preprocessing: standard deviation per channel.",
    "scale": "Preprocessing: multiplies the pixels 0..255, e.g. 1/255.",
    "color": "Preprocessing: RGB, BGR, or Y for luma alone.",
    "fit": "Preprocessing: stretch the frame, crop its centre, pad it below and right, unresized, or "
    "letterbox it: with its aspect ratio in the middle.",
    "task": f"What the outputs mean: {', '.join(TASKS)}.",
    "boxes": f"The family of a detector, where its shapes do not tell: {', '.join(FAMILIES)}.",
    "names": "Names of a detector's classes: a,b,c or a file with one a line.",
    "anchors": "Anchors of a detector whose file lacks them: numbers, or a file of them.",
    "score": "Boxes below this score are dropped; default: the family's.",
    "overlap": "Of two boxes of a class that overlap more (IoU), the weaker is dropped.",
    "state": "Of a file with states, which output feeds which input on the next frame: OUT=IN,….",
    "input": "Numbers that inputs of a file other than the picture have: NAME=NUMBER,….",
}
FROM_FILES = ("names", "anchors")  # may name a file that holds the text


def preprocessing_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `PREPROCESSING` where it has the parameter `preprocessing`.

    It gets the texts of those that are given, by name.
    """
    parameters: list[Parameter] = []
    for parameter in signature(command, eval_str=True).parameters.values():
        parameter = parameter.replace(kind=Parameter.KEYWORD_ONLY)
        parameters += _options() if parameter.name == "preprocessing" else [parameter]

    @wraps(command)
    def with_options(**given: Any) -> None:
        texts = {name: given.pop(name) for name in PREPROCESSING}
        command(preprocessing={k: text for k, text in texts.items() if text is not None}, **given)

    with_options.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def cache_folder(cache: Path | None, no_cache: bool) -> Path | None:
    """Where calibrations are kept, by default in the user's folder for caches; None for nowhere."""
    if no_cache:
        return None
    return cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "videoquant"


def said(option: str, text: str) -> str:
    """What an option of `PREPROCESSING` says, or what stands in the file that it names.

    Raises `NetworkError` for a file that cannot be read.
    """
    if option not in FROM_FILES or not os.path.isfile(text):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(f"--{option} {text}: cannot be read: {reason(error)}") from None


def _options() -> list[Parameter]:
    return [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(f"--{name}", help=text)],
        )
        for name, text in PREPROCESSING.items()
    ]


def open_source(video: str | None, images: Path | None, dataset: str | None) -> Clip:
    """The clip of --video, the stills of --images or the --dataset, exactly one of which must be given."""
    given = [source for source in (video, images, dataset) if source is not None]
    if len(given) != 1:
        raise DataError(SOURCES)
    if images is not None and not os.path.isdir(images):
        raise DataError(f"--images {images}: not a folder")
    clip = open_clip(dataset) if dataset is not None else frames(given[0])
    clip.check()
    return clip


def open_clip(text: str) -> Clip:
    """The frames of a data set, with their targets, or a clip; see `videoquant.data.open`."""
    source = catalog.open(text)
    return source if isinstance(source, Clip) else source.clip()


def open_clips(
    videos: Sequence[str] | None, datasets: Sequence[str] | None = None, images: Path | None = None
) -> list[Clip]:
    """The clips of every --video, or of every --dataset, or the stills of --images.

    Raises `DataError` unless exactly one of them is given, and where two clips have one name or a camera is
    among several.
    """
    if sum(map(bool, (videos, datasets, images))) != 1:
        raise DataError(SOURCES)
    clips = [open_source(video, None, None) for video in videos or []]
    clips += [open_source(None, None, dataset) for dataset in datasets or []]
    clips += [] if images is None else [open_source(None, images, None)]
    if len(clips) > 1 and any(clip.is_live for clip in clips):
        raise DataError("a camera has no end that another clip could follow; give it alone")
    twice = [name for name, times in Counter(clip.name for clip in clips).items() if times > 1]
    if twice:
        raise DataError(f"two clips are named {twice[0]}; results are by name")
    return clips


def are_stills(clip: Clip, images: Path | None) -> bool:
    """Whether frames have nothing to do with the one before."""
    return images is not None or (isinstance(clip, LabelledClip) and not clip.dataset.is_video)


class TakesFrames(Protocol):
    """A network, or a plan: what has an input that frames become."""

    @property
    def name(self) -> str: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def preprocessing(self) -> Preprocessing: ...


def channels_match(network: TakesFrames) -> None:
    """Raise `NetworkError` unless the network takes the channels that frames have: three, or luma alone."""
    color, channels = network.preprocessing.color, network.input_shape[1]
    if channels != network.preprocessing.channels:
        hint = "; --color Y gives it luma" if channels == 1 else ""
        raise NetworkError(f"{network.name}: takes {channels} channels, not {color}{hint}")


def note_unmeasured(
    measures: Iterable[Measure], found: Sequence[Mapping[str, float]], consequence: str = ""
) -> None:
    """Say of which of the measures no result holds a value. found: results, by the measure's name."""
    for measure in measures:
        if not any(measure.name in values for values in found):
            note(f"{measure.label}: these frames show nothing to measure{consequence}")
