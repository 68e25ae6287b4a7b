"""What each input of an ONNX file is: the picture, a state that an output feeds, or a constant.

Which output feeds which input say, the first that says anything: the caller (`--state r1o=r1i`), the file's
metadata under the key `state` in the same words, and the names: an output that is called as an input but for
one of `PAIRS`. An input whose value the caller gives (`--input downsample_ratio=0.25`) is a constant. What is
left is the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.onnx_inputs import CHANNELS, dimensions
from videoquant.network.onnx_operators import FLOATS

# How an input's name and that of the output which feeds it differ, and in nothing else.
PAIRS = (("in", "out"), ("i", "o"), ("prev", "next"), ("past", "present"), ("0", "n"))
# Keys of the texts that a caller gives beside those of preprocessing.
STATE, INPUT = "state", "input"
STRIDES = (1, 2, 4, 8, 16, 32, 64)  # of the picture's size, those that a state of dynamic size may have
READINGS = 4  # of a file, until the sizes of its states stay

Read = TypeVar("Read")


@dataclass(frozen=True)
class Inputs:
    """The inputs of a file.

    image: the name of the picture.
    states: by the name of an input, that of the output which is its value on the next frame.
    shapes: of the states, as the file says them; dynamic sizes are 0.
    constants: by name, the values of the others.
    """

    image: str
    states: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)


def sort_inputs(
    path: Path,
    graph: onnx.GraphProto,
    weights: set[str],
    metadata: Mapping[str, str],
    given: Mapping[str, str],
) -> Inputs:
    """Tell the inputs of a graph apart.

    weights: the inputs that have a value in the file.
    given: the caller's texts; of those `STATE` and `INPUT` are read.
    Raises `NetworkError` for an input that is none of them, and for a state without an input or an output.
    """
    kinds = {value.name: value.type.tensor_type for value in graph.input if value.name not in weights}
    outputs = [value.name for value in graph.output]
    constants = {
        name: _constant(path, kinds, name, number)
        for name, number in pairs(given.get(INPUT, ""), f"{path}: --input").items()
    }
    others = [name for name in kinds if name not in constants]
    if STATE in given or STATE in metadata:
        text, said = (
            (given[STATE], "--state") if STATE in given else (metadata[STATE], "its metadata's state")
        )
        states = _said(path, text, said, others, outputs)
    else:
        states = _by_name(others, outputs, kinds)
    left = [name for name in others if name not in states]
    if len(left) != 1:
        names = ", ".join(map(repr, left))
        if not kinds or not left:
            raise NetworkError(f"{path}: it has no input that is the picture")
        raise NetworkError(
            f"{path}: it has {len(left)} inputs that nothing feeds ({names}); all but the picture need an "
            "output that does, --state OUT=IN, or the value of a constant, --input NAME=NUMBER"
        )
    for name in states:
        if kinds[name].elem_type not in FLOATS:
            kind = onnx.TensorProto.DataType.Name(kinds[name].elem_type).lower()
            raise NetworkError(f"{path}: state {name!r} is {kind}; states are floats")
    shapes = {name: tuple(dimensions(kinds[name])) for name in states}
    return Inputs(left[0], states, shapes, constants)


def with_sizes(
    path: Path,
    inputs: Inputs,
    size: tuple[int, int],
    read: Callable[[Mapping[str, Sequence[int]]], Read],
    shape_of: Callable[[Read, str], tuple[int, ...]],
) -> Read:
    """A file as it is read with the right sizes of its states.

    size: (height, width) of the picture.
    read: the file, for shapes of its states. shape_of: the shape of an output then.
    Where sizes are dynamic, states begin with sizes of 1, which many files spread to what they need, or with
    those of the picture over the first of `STRIDES` with which the file can be read. What outputs then are,
    states are in the next reading, until both are the same.
    """
    shapes = {name: tuple(side or 1 for side in shape) for name, shape in inputs.shapes.items()}
    if not any(0 in shape for shape in inputs.shapes.values()):
        return read(shapes)
    found = _first_read(inputs, size, read, shapes)
    for _ in range(READINGS):
        after = {name: shape_of(found, output) for name, output in inputs.states.items()}
        if after == shapes:
            return found
        shapes, found = after, read(after)
    sizes = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in shapes.items())
    raise NetworkError(f"{path}: its states change their sizes from frame to frame ({sizes})")


def _first_read(
    inputs: Inputs,
    size: tuple[int, int],
    read: Callable[[Mapping[str, Sequence[int]]], Read],
    shapes: Mapping[str, Sequence[int]],
) -> Read:
    try:
        return read(shapes)
    except NetworkError as error:
        for stride in STRIDES:
            sides = [-(-side // stride) for side in size]
            scaled = {
                name: tuple(side or ([1] * (len(shape) - 2) + sides)[at] for at, side in enumerate(shape))
                for name, shape in inputs.shapes.items()
            }
            with suppress(NetworkError):
                return read(scaled)
        raise NetworkError(
            f"{error} (the sizes of its states are dynamic, and none was found with which it can be read; "
            "export it with fixed ones)"
        ) from None


def pairs(text: str, what: str) -> dict[str, str]:
    """The parts of "a=b,c=d", left → right. Raises `NetworkError`, which begins with `what`, for others."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = (piece.strip() for piece in part.partition("="))
        if not (left and equals and right):
            raise NetworkError(f"{what} {part!r}: it must be NAME=VALUE, several with commas between them")
        if left in found:
            raise NetworkError(f"{what}: {left!r} is named twice")
        found[left] = right
    return found


def _said(path: Path, text: str, what: str, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, str]:
    """The states that a text names, input → output."""
    states: dict[str, str] = {}
    for output, inner in pairs(text, f"{path}: {what}").items():
        for name, known, kind in ((output, outputs, "output"), (inner, inputs, "input")):
            if name not in known:
                there = ", ".join(known)
                raise NetworkError(
                    f"{path}: {what} {output}={inner}: there is no {kind} {name!r}; there are {there}"
                )
        if inner in states:
            raise NetworkError(f"{path}: {what}: two outputs feed {inner!r}")
        states[inner] = output
    return states


def _by_name(
    inputs: Sequence[str], outputs: Sequence[str], kinds: Mapping[str, onnx.TypeProto.Tensor]
) -> dict[str, str]:
    """The states that the names of inputs and outputs tell; of several inputs one remains, the picture."""
    if len(inputs) < 2:
        return {}
    found = {name: output for name in inputs if (output := _fed_by(name, outputs)) is not None}
    if len(found) == len(inputs):  # such as input → output beside h_in → h_out
        pictures = (name for name in inputs if _is_picture(dimensions(kinds[name])))
        found.pop(next(pictures, inputs[0]))
    return found


def _fed_by(name: str, outputs: Sequence[str]) -> str | None:
    for before, after in PAIRS:
        places = [at for at in range(len(name)) if name.startswith(before, at)]
        for at in reversed(places):
            output = name[:at] + after + name[at + len(before) :]
            if output in outputs:
                return output
    return None


def _is_picture(shape: Sequence[int]) -> bool:
    return len(shape) == 4 and (shape[1] in (0, *CHANNELS) or shape[3] in CHANNELS)


def _constant(
    path: Path, kinds: Mapping[str, onnx.TypeProto.Tensor], name: str, text: str
) -> NDArray[np.generic]:
    """The value that the caller gives an input: one number, wherever the input has several."""
    if name not in kinds:
        raise NetworkError(f"{path}: --input {name}: there is no such input; there are {', '.join(kinds)}")
    shape = tuple(size or 1 for size in dimensions(kinds[name]))
    check_size(8 * math.prod(shape), f"{path}: input {name!r}", NetworkError)
    try:
        number = float(text)
    except ValueError:
        raise NetworkError(f"{path}: --input {name}={text}: {text!r} is no number") from None
    if not math.isfinite(number):
        raise NetworkError(f"{path}: --input {name}={text}: it must be a finite number")
    return np.full(shape, number).astype(helper.tensor_dtype_to_np_dtype(kinds[name].elem_type))
