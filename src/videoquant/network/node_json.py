"""Nodes from JSON, checked against the operators' signatures; and whether a network of such nodes can run."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.limits import check_size
from videoquant.network.graph import Network, Node
from videoquant.network.operators import OPERATORS, on_meta
from videoquant.typed_json import read

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Signature:
    """What a node of an operator has.

    inputs: how many values it reads; None where they are any number, but one at least.
    tensors, attributes: name → whether it is needed, and of attributes its type.
    """

    inputs: int | None
    tensors: dict[str, bool]
    attributes: dict[str, tuple[Any, bool]]


@cache
def signature(op: str) -> Signature:
    """Read from the function that computes `op` (`operators.OPERATORS`)."""
    hints = get_type_hints(OPERATORS[op])
    parameters = inspect.signature(OPERATORS[op]).parameters.values()
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    is_tensor = {p.name: hints[p.name] in (Tensor, Tensor | None) for p in named}
    inputs = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    return Signature(
        None if any(p.kind is p.VAR_POSITIONAL for p in inputs) else len(inputs),
        {p.name: p.default is p.empty for p in named if is_tensor[p.name]},
        {p.name: (hints[p.name], p.default is p.empty) for p in named if not is_tensor[p.name]},
    )


def read_nodes(data: Any, what: str) -> tuple[Node, ...]:
    """Nodes from a list of their JSON forms (`dataclasses.asdict`), each as its operator wants it.

    what: begins messages, such as "pose.vq". Raises `NetworkError`.
    """
    nodes: tuple[Node, ...] = read(tuple[Node, ...], data, f"{what}: nodes", NetworkError)
    for node in nodes:
        place = f"{what}: node {node.name!r}"
        if node.op not in OPERATORS:
            raise NetworkError(f"{place} has the unknown operator {node.op!r}")
        wanted = signature(node.op)
        if len(node.inputs) != wanted.inputs if wanted.inputs is not None else not node.inputs:
            raise NetworkError(
                f"{place}, {node.op}, reads {len(node.inputs)} values; it must be {wanted.inputs or 'some'}"
            )
        needed = {t for t, is_needed in wanted.tensors.items() if is_needed}
        needed |= {a for a, (_, is_needed) in wanted.attributes.items() if is_needed}
        given = {*node.tensors, *node.attributes}
        odd = (given - wanted.tensors.keys() - wanted.attributes.keys()) | (needed - given)
        if odd:
            raise NetworkError(f"{place}, {node.op}, has no {min(odd)!r} or should have none")
        for name in node.tensors:
            if name not in wanted.tensors:
                raise NetworkError(f"{place}, {node.op}: {name!r} is no tensor of it")
        for name, value in node.attributes.items():
            if name not in wanted.attributes:
                raise NetworkError(f"{place}, {node.op}: {name!r} is a tensor of it, and no attribute")
            read(wanted.attributes[name][0], value, f"{place}, {name}", NetworkError)
    return nodes


def check_frame(network: Network, what: str) -> None:
    """Raise `NetworkError` where a frame of `input_shape` cannot run, or takes more memory than a file may.

    Nothing is computed for it.
    """
    for name, tensor in network.tensors.items():
        if tensor.dtype != torch.float32:
            raise NetworkError(f"{what}: tensor {name!r} is of {tensor.dtype}; it must be of float32")
    live = {network.input: _bytes(network.input_shape)}
    check_size(live[network.input], f"{what}: its input", NetworkError)
    meta = {name: torch.empty_like(t, device="meta") for name, t in network.tensors.items()}

    def measure(node: Node, inputs: list[Tensor]) -> Tensor:
        place = f"{what}: node {node.name!r}, {node.op}"
        with refused_as(NetworkError, f"{place}, cannot run on what it reads"):
            tensors = {t: meta[f"{node.name}.{t}"] for t in node.tensors}
            y = on_meta(node.op, inputs, tensors, node.attributes)
            if node.is_layer:
                _check_layer(node, inputs[0], tensors)
            _check_dimensions(node, inputs)
        if y.numel() == 0:
            raise NetworkError(f"{place}, gives nothing: its shape is {tuple(y.shape)}")
        live[node.name] = _bytes(y.shape)
        check_size(sum(live.values()), f"{place}: a frame, as far as here,", NetworkError)
        for value in network.last_read.get(node.name, ()):
            del live[value]
        return y

    network.run(torch.empty(network.input_shape, dtype=torch.float32, device="meta"), measure)
    for state, value in network.states.items():
        if network.shapes[state] != network.shapes[value]:
            raise NetworkError(f"{what}: state {state!r} and {value!r}, which it becomes, differ in shape")


def _check_layer(node: Node, x: Tensor, tensors: dict[str, Tensor]) -> None:
    """Raise `ValueError` where a layer's weights do not fit what it reads: PyTorch sees it on data alone."""
    shape, groups = tensors["weight"].shape, int(node.attributes.get("groups", 1))
    if node.op == "linear":
        reads, wanted, gives = x.shape[-1], shape[1], shape[0]
    elif node.op == "conv2d":
        reads, wanted, gives = x.shape[1], shape[1] * groups, shape[0]
    else:
        reads, wanted, gives = x.shape[1], shape[0], shape[1] * groups
    if reads != wanted or ("bias" in tensors and tensors["bias"].shape != (gives,)):
        raise ValueError(f"its weights {tuple(shape)} read {wanted} channels and give {gives}")
    if min(node.attributes.get("dilation", [1])) < 1:
        raise ValueError("its dilation is below 1")


def _check_dimensions(node: Node, inputs: Sequence[Tensor]) -> None:
    """Raise `ValueError` where an attribute names a dimension that is none: not every operator checks it."""
    rank = inputs[0].dim() if inputs else 0
    dims = [node.attributes["dim"]] if "dim" in node.attributes else node.attributes.get("dims", ())
    if isinstance(dims, int):  # how many, the last ones
        dims = [-dims, -1]
    for dim in dims:
        if not -rank <= dim < rank:
            raise ValueError(f"there is no dimension {dim} of {rank}")


def _bytes(shape: Sequence[int]) -> int:
    """Of a float32 value, in numbers that do not overflow."""
    size = FLOAT_BYTES
    for length in shape:
        size *= length
    return size
