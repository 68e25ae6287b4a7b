"""Reads an ONNX file into a `Network`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from videoquant.errors import NetworkError
from videoquant.files import check_file
from videoquant.network.builder import Builder, Site, Value, one_line
from videoquant.network.graph import Network
from videoquant.network.onnx_layers import LAYERS
from videoquant.network.onnx_operators import ELEMENTWISE, FLOATS
from videoquant.network.onnx_resize import RESIZING
from videoquant.network.onnx_shapes import SHAPES
from videoquant.network.preprocessing import Preprocessing
from videoquant.text import printable

OPERATORS = {**LAYERS, **ELEMENTWISE, **SHAPES, **RESIZING}

# The operators whose second input names the layer.
NAMED_BY_WEIGHT = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu")
# Names that an exporter made up: "onnx::Conv_123", "123", "val_12", "const_fold_opt__7", "_v_5".
MADE_UP = re.compile(r"onnx::.*|\d+|val_\d+|_.*|.*const.*", re.IGNORECASE | re.DOTALL)

Constant = NDArray[np.generic]


def read_onnx(path: str | Path) -> Network:
    """Read a convolutional network from an ONNX file.

    path: the file; it has one float input N×C×H×W of fixed size (a dynamic batch is taken as 1).
    Layers are called as their weights are in the file, less ".weight"; where an exporter renamed the weights,
    as the file's nodes are. Preprocessing comes from the file's metadata, see `Preprocessing.from_metadata`.

    Raises `NetworkError` for a file that is missing or damaged, and for an operator, an input or an output
    that is not supported.
    """
    path = Path(path)
    model = _load(path)
    reader = _Reader(path, model)
    for index, node in enumerate(model.graph.node):
        place = f"node {node.name!r} ({node.op_type}, {index + 1} of {len(model.graph.node)})"
        reader.read(node, f"{path}: {place}")
    outputs = {}
    for output in model.graph.output:
        value = reader.values.get(output.name)
        if not isinstance(value, Value):
            raise NetworkError(f"{path}: output {output.name!r} is not computed from the input")
        outputs[output.name] = value
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    try:
        return reader.builder.build(outputs, Preprocessing.from_metadata(metadata))
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None


def _load(path: Path) -> onnx.ModelProto:
    check_file(path, NetworkError)
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except DecodeError:
        raise NetworkError(f"{path}: not an ONNX file, or cut short; export or copy it again") from None
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise NetworkError(f"{path}: not a valid ONNX file: {one_line(error)}") from None
    return onnx.inliner.inline_local_functions(model) if model.functions else model


class _Reader:
    """Walks through the nodes of a file; `values` holds what each name of the file stands for by then."""

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.opsets = model.opset_import
        self.weight_names = {tensor.name for tensor in model.graph.initializer}
        name, shape = _input(path, model.graph, self.weight_names)
        self.builder = Builder(printable(path.stem), name, shape)
        self.values: dict[str, Value | Constant] = {name: self.builder.input}
        for tensor in model.graph.initializer:
            self.values[tensor.name] = numpy_helper.to_array(tensor)

    def read(self, node: onnx.NodeProto, place: str) -> None:
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        opset = max(entry.version for entry in self.opsets if entry.domain in ("", "ai.onnx"))
        site = Site(self.builder, self._name(node), place, len(node.output), opset)
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise site.refuse(f"reads {missing[0]!r}, which no supported operator gives")
        inputs = [self.values[name] if name else None for name in node.input]
        results: Sequence[Value | Constant | None]
        if op == "Constant" or (inputs and not any(isinstance(value, Value) for value in inputs)):
            results = self._evaluate(site, node)
        elif op in ("Shape", "Size") and isinstance(inputs[0], Value):
            results = [_shape(node, inputs[0])]
        elif op not in OPERATORS:
            supported = ", ".join(sorted(OPERATORS))
            raise site.refuse(f"operator {op} is not supported; supported are {supported}")
        else:
            arguments = [_tensor(value) if isinstance(value, np.ndarray) else value for value in inputs]
            result = site.translate(OPERATORS[op], arguments, _attributes(node))
            results = [result] if isinstance(result, Value) else result
        self.values |= {
            name: value
            for name, value in zip(node.output, results, strict=False)
            if name and value is not None
        }

    def _name(self, node: onnx.NodeProto) -> str:
        if node.op_type in NAMED_BY_WEIGHT and len(node.input) > 1 and node.input[1] in self.weight_names:
            name = str(node.input[1]).removesuffix(".weight").removesuffix("_weight")
            if name and not MADE_UP.fullmatch(name):
                return name
        return str(node.name) or f"{node.op_type.lower()}_{len(self.builder.nodes) + 1}"

    def _evaluate(self, site: Site, node: onnx.NodeProto) -> list[Constant]:
        """The outputs of a node that reads only constants."""
        feeds = {name: self.values[name] for name in node.input if name}
        graph = helper.make_graph(
            [node],
            "constants",
            [onnx.ValueInfoProto(name=name) for name in feeds],
            [onnx.ValueInfoProto(name=name) for name in node.output],
        )
        try:
            evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=self.opsets))
            results = evaluator.run(None, feeds)
        except Exception as error:  # the evaluator raises whatever NumPy or the operator does
            raise site.refuse(
                f"its inputs are constants, but it cannot be computed: {one_line(error)}"
            ) from None
        return [np.asarray(result) for result in results]


def _input(path: Path, graph: onnx.GraphProto, weights: set[str]) -> tuple[str, list[int]]:
    """Name and shape of the only input."""
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs)
        raise NetworkError(
            f"{path}: it has {len(inputs)} inputs ({names}); a network must have one, the image"
        )
    name, tensor = inputs[0].name, inputs[0].type.tensor_type
    shape = [dim.dim_value for dim in tensor.shape.dim]
    if len(shape) != 4 or tensor.elem_type not in FLOATS:
        raise NetworkError(f"{path}: input {name!r} must be float N×C×H×W; it has {len(shape)} dimensions")
    if min(shape[1:]) < 1:
        raise NetworkError(f"{path}: input {name!r} has a dynamic size; export the network with a fixed one")
    if shape[3] in (1, 3, 4) and min(shape[1:3]) > 16:
        raise NetworkError(f"{path}: input {name!r} is N×H×W×C; export the network with channels first")
    return name, [max(shape[0], 1), *shape[1:]]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def _shape(node: onnx.NodeProto, value: Value) -> Constant:
    """Shape or Size of a value, which is known without running anything."""
    if node.op_type == "Size":
        return np.array(np.prod(value.shape), dtype=np.int64)
    bounds = _attributes(node)
    return np.array(value.shape[bounds.get("start") : bounds.get("end")], dtype=np.int64)


def _tensor(array: Constant) -> torch.Tensor:
    """A constant in PyTorch; every floating-point type becomes float32."""
    return torch.from_numpy(np.array(array, dtype=np.int64 if array.dtype.kind in "iub" else np.float32))
