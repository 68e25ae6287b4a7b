"""What a command writes, checked against all that it reads and for room, before any work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from videoquant.cli.options import FROM_FILES
from videoquant.data import catalog, images
from videoquant.errors import OutputError
from videoquant.files import check_folder, check_writable

_DATA_SUFFIXES = (*images.SUFFIXES, ".mat", ".txt", ".pts")  # of files in folders of frames and data sets

Read = str | Path | None | Iterable[str | Path]


@dataclass(frozen=True)
class Folder:
    """An output that is a folder, made where it is missing. files: what the command writes there, by name."""

    path: Path
    files: tuple[str, ...]


def common_reads(
    network: str,
    video: Read,
    images: Read,
    dataset: Read = None,
    checkpoint: Read = None,
    preprocessing: Mapping[str, str] | None = None,
) -> dict[str, Read]:
    """What most commands read, by the option, for `check_targets`.

    preprocessing: the texts of its options, of which some may name files.
    """
    texts = {f"--{name}": (preprocessing or {}).get(name) for name in FROM_FILES}
    return texts | {
        "NETWORK": network,
        "--video": video,
        "--images": images,
        "--dataset": dataset,
        "--checkpoint": checkpoint,
    }


def check_targets(reads: Mapping[str, Read], writes: Mapping[str, Path | Folder | None]) -> None:
    """Raise `OutputError` where a command would write over what it reads, twice in one place, or not at all.

    reads, writes: the values of *all* the command's options that name files, by the option, None where one is
    not given. What is read: files, folders, "NAME:PATH#SPLIT", names of networks with the weights that ship.
    The same file is found by whatever path leads to it: a link of either kind, other letters, another folder.
    """
    given = {option: target for option, target in writes.items() if target is not None}
    ours = {name for target in given.values() if isinstance(target, Folder) for name in target.files}
    targets = [(option, path) for option, target in given.items() for path in _files(target)]
    for (option, path), (other, second) in combinations(targets, 2):
        if _same(path, second):
            both = f"{option} writes it twice" if option == other else f"{option} and {other} both write it"
            raise OutputError(f"{path}: {both}; give different names")
    for option, path in targets:
        for source, value in reads.items():
            if any(_is_read(path, read, ours) for read in _inputs(value, path)):
                raise OutputError(f"{path}: {source} reads it, and {option} would write there; name another")
    if os.environ.get("RANK", "0") != "0":
        return  # the first of `torchrun`'s processes writes, and whoever tries a folder takes it away again
    for target in given.values():
        if isinstance(target, Folder):
            check_folder(target.path)
        for path in _files(target):
            if _exists(path.parent) or not isinstance(target, Folder):
                check_writable(path)


def _files(target: Path | Folder) -> list[Path]:
    return [target.path / name for name in target.files] if isinstance(target, Folder) else [target]


@dataclass(frozen=True)
class _Input:
    """A file, or a folder of frames; with_below: a data set, whose files lie in folders below it too."""

    path: Path
    with_below: bool = False


def _inputs(value: Read, target: Path) -> Iterator[_Input]:
    """What the value of an option reads, as far as it exists."""
    if value is None:
        return
    if not isinstance(value, str | Path):
        for item in value:
            yield from _inputs(item, target)
        return
    text = str(value)
    yield _Input(Path(text))
    name, _, place = text.partition(":")
    if name in catalog.DATASETS and place:
        yield from (_Input(Path(path), True) for path in (place, place.rpartition("#")[0]) if path)
    if find_spec("torch") is not None:
        yield from map(_Input, _network_files(text, target))


def _network_files(text: str, target: Path) -> Iterator[Path]:
    """The files behind a network's name, or beside its ONNX file. Nothing else needs PyTorch here."""
    is_onnx = text.lower().endswith(".onnx")
    if _exists(Path(text)) and not is_onnx:
        return
    from videoquant.models import names, weights
    from videoquant.models.loading import SHIPPED

    if text in SHIPPED:
        with resources.as_file(resources.files("videoquant") / "assets" / SHIPPED[text]) as path:
            yield path
    elif text in names():
        yield from weights.FOLDER.glob(f"{text}_*")
    elif is_onnx and _exists(target):  # only what is there can be written over
        yield from _external_data(Path(text))


def _external_data(file: Path) -> list[Path]:
    """The files beside an ONNX file that hold weights of it."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    try:
        model = onnx.load(file, load_external_data=False)
    except Exception:  # what is wrong with it, its reader will say
        return []
    tensors = filter(uses_external_data, model.graph.initializer)
    return [file.parent / str(ExternalDataInfo(tensor).location) for tensor in tensors]


def _is_read(target: Path, read: _Input, ours: set[str]) -> bool:
    """Whether a target is an input, or lies among those of a folder.

    ours: names in output folders, which are no data wherever they lie.
    """
    if not os.path.isdir(read.path):
        return _exists(target) and _exists(read.path) and os.path.samefile(target, read.path)
    with suppress(OSError):  # a folder that cannot be read: its reader will say so
        return _is_in(target, read, ours)
    return False


def _is_in(target: Path, read: _Input, ours: set[str]) -> bool:
    """Whether a target is one of the files that are read from a folder, or would become one."""
    folder, real = Path(os.path.realpath(read.path)), Path(os.path.realpath(target))
    if folder == real.parent or (read.with_below and folder in real.parents):
        if not _is_data(real):
            return False
        beside = real.parent.iterdir() if real.parent.is_dir() else ()
        return any(_is_data(file) and file.name not in ours for file in beside)
    if not _exists(real) or real.stat().st_nlink == 1:
        return False
    files = folder.rglob("*") if read.with_below else folder.iterdir()
    return any(os.path.samefile(real, file) for file in files if file.is_file())


def _is_data(file: Path) -> bool:
    return file.suffix.lower() in _DATA_SUFFIXES


def _same(one: Path, other: Path) -> bool:
    if _exists(one) and _exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # unlike Path.exists it raises nothing, for names that are too long neither
