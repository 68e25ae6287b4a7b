"""A network by its name, or from its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

import torch

from videoquant.errors import NetworkError
from videoquant.models.base import Model
from videoquant.models.registry import create, names
from videoquant.models.weights import require_weights
from videoquant.network.capture import capture
from videoquant.network.graph import Network
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.onnx_states import INPUT, STATE

# Networks that ship with the package, by the name they are loaded by.
SHIPPED = {
    "selfie_segmentation": "selfie_segmentation_256.onnx",
    "centerface": "centerface_288x352.onnx",
}
_STRIDES = (32, 64)  # the coarsest of detectors
LONGEST_SIDE = 8192  # pixels of an input; more is a slip of the finger, and would fill the memory


def load(
    source: str | Path,
    *,
    checkpoint: str | Path | None = None,
    size: tuple[int, int] | None = None,
    num_classes: int | None = None,
    preprocessing: Mapping[str, str] | None = None,
) -> Network:
    """Read a network: from an ONNX file, or by the name of a shipped one (`SHIPPED`) or of `models.names()`.

    Only the networks of `models.names()` take `checkpoint` and `num_classes`; a file has its own.
    checkpoint: their weights (see `models.create`); default those that ship with the package
        (`models.weights`).
    size: (height, width) of the input, default the published one, and of a file its own; a file of a dynamic
        size needs one, unless its metadata says it.
    num_classes: default the checkpoint's.
    preprocessing: replaces what the network says of it, before that is read: texts by their keys, such as
        {"mean": "0.5,0.5,0.5", "color": "BGR"}, see `Preprocessing.with_text`; and what a file's inputs are
        beside the picture, such as {"state": "r1o=r1i", "input": "downsample_ratio=0.25"}.
    Raises `NetworkError` for a missing or damaged file, an unknown name, an operator that is not supported,
    weights that are missing or do not fit, and a size that the network cannot have.
    """
    name = str(source)
    if name in names():
        check_plain(name, preprocessing or {})
        weights = require_weights(name) if checkpoint is None else checkpoint
        network = capture_model(name, create(name, weights, num_classes), size)
        network.preprocessing = network.preprocessing.with_text(preprocessing or {})
        return network
    _check_side(name, size)
    given = {"checkpoint": checkpoint, "num_classes": num_classes}
    for option, value in given.items():
        if value is not None:
            raise NetworkError(
                f"{name}: {option} is for the networks of videoquant.models; this one has its own"
            )
    if name in SHIPPED:
        with resources.as_file(resources.files("videoquant") / "assets" / SHIPPED[name]) as path:
            network = _read(path, preprocessing, size)
        network.name = name
        return network
    if not os.path.exists(source):
        known = [*SHIPPED, *names()]
        near = get_close_matches(name.lower().replace("-", "_"), known, cutoff=0.6)
        hint = f"did you mean {', '.join(near)}?" if near else f"networks by name are {', '.join(known)}"
        raise NetworkError(f"{name}: no such file, and no network of this name; {hint}")
    return _read(source, preprocessing, size)


def _read(path: str | Path, preprocessing: Mapping[str, str] | None, size: tuple[int, int] | None) -> Network:
    """`read_onnx`, which says of a size that the network does not take which one it does."""
    try:
        return read_onnx(path, preprocessing, size)
    except NetworkError as error:
        if size is None:
            raise
        refusal = f"{path}: takes no input of {size[0]}×{size[1]}, but one of"
        for stride in _STRIDES:
            height, width = (-(-side // stride) * stride for side in size)
            if (height, width) != size and _size_read(path, preprocessing, (height, width)):
                text = f"{refusal} {height}×{width}: its strides need sides that {stride} divides"
                raise NetworkError(text) from error
        own = _size_read(path, preprocessing, None)
        if own is None:
            raise
        raise NetworkError(f"{refusal} {own[0]}×{own[1]}, its file's own ({error})") from error


def _size_read(
    path: str | Path, preprocessing: Mapping[str, str] | None, size: tuple[int, int] | None
) -> tuple[int, int] | None:
    """The size with which a file is read; None where it is not."""
    try:
        return read_onnx(path, preprocessing, size).size
    except NetworkError:
        return None


def check_plain(name: str, given: Mapping[str, str]) -> None:
    """Raise `NetworkError` where states or inputs are named of a network that has the picture alone."""
    for option in (STATE, INPUT):
        if option in given:
            raise NetworkError(f"{name}: {option} is for ONNX files; this network reads the picture alone")


def capture_model(name: str, module: Model, size: tuple[int, int] | None = None) -> Network:
    """A network of `models` as a `Network`, called `name`, for inputs of `size`, default `config.size`.

    Raises `NetworkError` for a size that it cannot have.
    """
    height, width = size or module.config.size
    _check_side(name, size)
    preprocessing = module.config.preprocessing
    example = torch.zeros(1, preprocessing.channels, height, width, dtype=torch.float32, device="cpu")
    return capture(module, example, name=name, preprocessing=preprocessing)


def _check_side(name: str, size: tuple[int, int] | None) -> None:
    """Raise `NetworkError` for a size that no picture has."""
    if size is not None and not all(1 <= side <= LONGEST_SIDE for side in size):
        raise NetworkError(
            f"{name}: size is {size[0]}×{size[1]}; each side must be 1 to {LONGEST_SIDE} pixels"
        )
