"""Loads an ONNX file as a graph whose tensors and functions have been counted before any memory is taken."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, external_data_helper, helper

from videoquant.errors import NetworkError, refused_as
from videoquant.files import check_file
from videoquant.limits import check_size
from videoquant.network.builder import one_line

# What a node costs to read, in all its forms (protobuf, Python, shapes), generously; a few functions that
# call each other can stand for any number of them.
NODE_BYTES = 1 << 15
HALF_BYTES = (TensorProto.INT4, TensorProto.UINT4)


def load_model(path: Path) -> ModelProto:
    """The model in a file, its functions inlined and the data of other files read in.

    Raises `NetworkError` for a file that is missing, damaged, not valid, or asks for more than the size
    limit.
    """
    check_file(path, NetworkError)
    try:
        model = onnx.load(path, load_external_data=False)
        _check_tensors(path, model)
        _check(model)
    except DecodeError:
        raise NetworkError(f"{path}: not an ONNX file, or cut short; export or copy it again") from None
    except NetworkError:
        raise
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise NetworkError(f"{path}: not a valid ONNX file: {one_line(error)}") from None
    if model.functions:
        check_size(NODE_BYTES * _expanded(path, model), f"{path}: expanding its functions", NetworkError)
        model = onnx.inliner.inline_local_functions(model)
    return model


def opset_of(model: ModelProto) -> int:
    """The version of ONNX's own operators; a file that names none is older than they are, and means 1."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(versions, default=1)


def _check(model: ModelProto) -> None:
    """ONNX's checker, but outputs need not say their types and shapes: those follow from the nodes."""
    said = [ValueInfoProto.FromString(value.SerializeToString()) for value in model.graph.output]
    for value in model.graph.output:
        if not value.HasField("type"):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(model)
    for value, before in zip(model.graph.output, said, strict=True):
        value.CopyFrom(before)


def _check_tensors(path: Path, model: ModelProto) -> None:
    """Refuse tensors that do not hold what their sizes say, then read those that lie in other files."""
    total = 0
    for tensor in _tensors(model):
        what = f"{path}: constant {tensor.name!r}"
        if any(size < 0 for size in tensor.dims):
            raise NetworkError(f"{what} has the shape {list(tensor.dims)}, which no tensor has")
        if tensor.data_type == TensorProto.STRING:
            continue
        with refused_as(NetworkError, f"{what} is of no known type"):
            width = 0.5 if tensor.data_type in HALF_BYTES else _item_bytes(tensor)
        elements = math.prod(tensor.dims)
        check_size(4 * elements, what, NetworkError)
        total += 4 * elements  # as float32, which it becomes
        if external_data_helper.uses_external_data(tensor):
            _read_external(path, tensor, math.ceil(elements * width), what)
        elif tensor.HasField("raw_data") and len(tensor.raw_data) != math.ceil(elements * width):
            raise NetworkError(
                f"{what} has the shape {list(tensor.dims)}, but {len(tensor.raw_data)} bytes of data"
            )
    check_size(total, f"{path}: its constants", NetworkError)


def _item_bytes(tensor: TensorProto) -> int:
    return int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _read_external(path: Path, tensor: TensorProto, size: int, what: str) -> None:
    """Read a tensor's data from the file beside the model that holds it."""
    info = {entry.key: entry.value for entry in tensor.external_data}
    with refused_as(NetworkError, f"{what}: it lies in another file, in a place that cannot be read"):
        offset, length = int(info.get("offset", 0)), int(info.get("length", size))
        location = Path(info.get("location", ""))
        data = path.parent / location
        folder = path.parent.resolve()
        if location.is_absolute() or not data.resolve().is_relative_to(folder) or not data.is_file():
            raise NetworkError(f"{what}: its data file {info.get('location')!r} is not in the model's folder")
        if length != size or offset < 0 or offset + size > data.stat().st_size:
            raise NetworkError(
                f"{what}: it needs {size} bytes of {data.name!r}, which has {data.stat().st_size}; "
                f"the model says {length} from {offset}"
            )
        with data.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(size)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: constants, and those in attributes, of its functions too."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterator[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graph_tensors(graph)


def _expanded(path: Path, model: ModelProto) -> int:
    """How many nodes a model has once its functions are put in the place of their calls."""
    functions = {(function.domain, function.name): function for function in model.functions}
    counts: dict[tuple[str, str], int] = {}
    open_calls: list[tuple[str, str]] = []

    def nodes(body: Iterator[NodeProto]) -> int:
        count = 0
        for node in body:
            key = (node.domain, node.op_type)
            count += called(key) if key in functions else 1
            for attribute in node.attribute:
                for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                    count += nodes(graph.node)
        return count

    def called(key: tuple[str, str]) -> int:
        if key in open_calls:
            raise NetworkError(f"{path}: its function {key[1]!r} calls itself")
        if key not in counts:
            open_calls.append(key)
            counts[key] = nodes(functions[key].node)
            open_calls.pop()
        return counts[key]

    return nodes(model.graph.node)
