"""Reads an ONNX file into a `Network`.

Long because how a node is read depends on all that the names of the file stand for by then.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from videoquant.errors import NetworkError, refused_as
from videoquant.network.box_layout import of_ultralytics
from videoquant.network.builder import Builder, OperatorContext, Value
from videoquant.network.graph import Network
from videoquant.network.metadata import image_size
from videoquant.network.onnx_constants import Constant, evaluate, tensor
from videoquant.network.onnx_file import load_model, opset_of
from videoquant.network.onnx_inputs import ImageInput, image_input
from videoquant.network.onnx_layers import LAYERS
from videoquant.network.onnx_math import MATH
from videoquant.network.onnx_operators import ELEMENTWISE
from videoquant.network.onnx_pools import POOLS
from videoquant.network.onnx_quantized import (
    QUANTIZING,
    RESHAPING,
    StoredScale,
    as_numbers,
    expanded,
    in_plain_words,
    moved,
    quantization,
    without_codes,
)
from videoquant.network.onnx_resize import RESIZING
from videoquant.network.onnx_select import SELECTIONS
from videoquant.network.onnx_shapes import SHAPES
from videoquant.network.onnx_states import INPUT, STATE, sort_inputs, with_sizes
from videoquant.network.onnx_suppression import Suppression, suppression
from videoquant.network.preprocessing import Preprocessing
from videoquant.network.rebatch import one_frame
from videoquant.tasks import task_for
from videoquant.tasks.detection import Detection
from videoquant.text import printable

OPERATORS = {**LAYERS, **POOLS, **ELEMENTWISE, **MATH, **SHAPES, **SELECTIONS, **RESIZING}

# The operators whose second input names the layer.
NAMED_BY_WEIGHT = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu")
# Names that an exporter made up: "onnx::Conv_123", "123", "val_12", "const_fold_opt__7", "_v_5".
MADE_UP = re.compile(r"onnx::.*|\d+|val_\d+|_.*|.*const.*", re.IGNORECASE | re.DOTALL)

# Attributes for which infinity is a number like others: no limit, and what a max pool never takes.
UNLIMITED = {("Clip", "min"), ("Clip", "max"), ("Pad", "value")}


def read_onnx(
    path: str | Path,
    preprocessing: Mapping[str, str] | None = None,
    size: tuple[int, int] | None = None,
) -> Network:
    """Read a vision network from an ONNX file.

    path: the file; it reads one picture, float or uint8, N×C×H×W or N×H×W×C. A dynamic batch is taken as 1,
    and so is one of several frames, where the network treats them alike (`rebatch`). A uint8 input takes
    pixels as they are: its scale is 1 where nothing says another. Its other inputs are states, or constants
    (`onnx_states`).
    Layers are called as their weights are in the file, less ".weight"; where an exporter renamed the weights,
    as the file's nodes are. Preprocessing comes from the file's metadata, see `Preprocessing.from_metadata`.
    preprocessing: replaces what the metadata says under these keys, e.g. {"mean": "0.5,0.5,0.5"}; and what
        other inputs are, e.g. {"state": "r1o=r1i", "input": "downsample_ratio=0.25"}.
    size: (height, width) of the input, in place of the file's; needed where that is dynamic and the metadata
        (`metadata.image_size`) does not say it.

    Raises `NetworkError` for a file that is missing, damaged or asks for more memory than the size limit, and
    for an operator, an input or an output that is not supported.
    """
    return read_with_scales(path, preprocessing, size)[0]


def read_with_scales(
    path: str | Path,
    preprocessing: Mapping[str, str] | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[Network, dict[str, StoredScale]]:
    """As `read_onnx`, with what the file says of the weights that it holds as codes, by layer."""
    path = Path(path)
    with refused_as(NetworkError, f"{path}: not a valid ONNX file, or one that is not supported"):
        return _read(path, preprocessing or {}, size)


def _read(
    path: Path, preprocessing: Mapping[str, str], size: tuple[int, int] | None
) -> tuple[Network, dict[str, StoredScale]]:
    model = load_model(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = sort_inputs(path, model.graph, weights, metadata, preprocessing)
    preprocessing = {key: text for key, text in preprocessing.items() if key not in (STATE, INPUT)}

    image = image_input(path, model.graph, inputs.image, size, image_size(metadata))

    def read(shapes: Mapping[str, Sequence[int]]) -> _Reader:
        reader = _Reader(path, model, image, shapes)
        reader.values |= inputs.constants
        reader.given = preprocessing
        reader.read_all()
        return reader

    sides = (image.shape[2], image.shape[3])
    reader = with_sizes(path, inputs, sides, read, lambda reader, name: reader.output(name).shape)
    outputs: dict[str, Value] = {}
    said: dict[str, str] = {}
    for output in model.graph.output:
        if output.name in reader.suppressed:
            outputs |= reader.suppressed[output.name].outputs
            said |= reader.suppressed[output.name].said
        else:
            outputs[output.name] = reader.output(output.name)
    try:
        for state, output_name in inputs.states.items():
            reader.builder.become(reader.states[state], outputs[output_name], f"output {output_name!r}")
        # What a state becomes is no result, unless it is all that the network gives.
        results = {name: value for name, value in outputs.items() if name not in inputs.states.values()}
        outputs = results or outputs
        # Of the whole metadata, since an option that stands for a part of it leaves the rest as it is.
        stated = metadata | of_ultralytics(metadata)
        own = {key: text for key, text in stated.items() if key not in preprocessing}
        own = said | own | {key: text for key, text in preprocessing.items() if key == "task"}
        if image.bytes:
            own.setdefault("scale", "1")
        known = Preprocessing.from_metadata(own).with_text(preprocessing)
        network = with_family(one_frame(reader.builder.build(outputs, known, metadata)))
        return network, reader.layer_scales
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None


def with_family(network: Network) -> Network:
    """The same; a detector whose file says nothing of its pictures sees them as its family does.

    PaddlePaddle writes the names of classes as `character`, one a line.
    """
    task = task_for(network)
    if isinstance(task, Detection):
        said, lines = {"boxes": task.family}, network.metadata.get("character", "")
        if not task.names and len(lines.splitlines()) == task.classes:
            said["names"] = lines
        network.preprocessing = network.preprocessing.with_text(said)
    return network


class _Reader:
    """Walks through the nodes of a file; `values` holds what each name of the file stands for by then.

    image: the picture that it reads. shapes: of its states, whose values are `states`, by name.
    scales, origins: of constants that were computed from codes, by name: their scales, and the name of what
        the file holds.
    layer_scales: those of layers' weights, by layer.
    given: the options of preprocessing.
    suppressed: what a NonMaxSuppression gives, and what is computed from it, by name.
    """

    def __init__(
        self,
        path: Path,
        model: onnx.ModelProto,
        image: ImageInput,
        shapes: Mapping[str, Sequence[int]],
    ) -> None:
        self.path, self.model = path, model
        self.opset = opset_of(model)
        self.opsets = model.opset_import or [helper.make_opsetid("", self.opset)]
        self.weight_names = {tensor.name for tensor in model.graph.initializer}
        name = image.name
        self.builder = Builder(printable(path.stem), name, image.shape)
        self.values: dict[str, Value | Constant] = {name: self.builder.input}
        if image.channels_last:
            site = OperatorContext(self.builder, f"{name}.channels_last", f"{path}: input {name!r}")
            self.values[name] = site.permute(self.builder.input, (0, 2, 3, 1))
        self.states = {state: self.builder.state(state, shape) for state, shape in shapes.items()}
        self.values |= self.states
        for constant in model.graph.initializer:
            with refused_as(NetworkError, f"{path}: constant {constant.name!r} cannot be read"):
                self.values[constant.name] = numpy_helper.to_array(constant)
        self.given: Mapping[str, str] = {}
        self.suppressed: dict[str, Suppression] = {}
        self.scales: dict[str, StoredScale] = {}
        self.origins: dict[str, str] = {}
        self.layer_scales: dict[str, StoredScale] = {}

    def read_all(self) -> None:
        """Read every node of the file that an output depends on."""
        nodes, wanted = self.model.graph.node, _wanted(self.model.graph)
        for index, node in enumerate(nodes):
            if wanted.isdisjoint(node.output):
                continue
            place = f"node {node.name!r} ({node.op_type}, {index + 1} of {len(nodes)})"
            problem = f"{self.path}: {place}: malformed, or of a kind that is not supported"
            with refused_as(NetworkError, problem):
                self.read(node, f"{self.path}: {place}")

    def output(self, name: str) -> Value:
        """An output of the file, which must be computed at run time."""
        value, place = self.values.get(name), f"{self.path}: output {name!r}"
        if not isinstance(value, Value):
            raise NetworkError(f"{place} is not computed from the input")
        return as_numbers(OperatorContext(self.builder, name, place), value)

    def read(self, node: onnx.NodeProto, place: str) -> None:
        node = in_plain_words(node)
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        parts = expanded(op, node, self.values.get(node.input[0]) if node.input else None)
        if parts:
            for part in parts:
                self.read(part, place)
            return
        outputs = max((i + 1 for i, name in enumerate(node.output) if name), default=0)
        site = OperatorContext(self.builder, self._name(node), place, outputs, self.opset)
        behind = next((self.suppressed[name] for name in node.input if name in self.suppressed), None)
        if behind is not None:
            self.suppressed |= dict.fromkeys(node.output, behind)
            return
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise site.refuse(f"reads {missing[0]!r}, which no supported operator gives")
        inputs = [self.values[name] if name else None for name in node.input]
        results: Sequence[Value | Constant | None]
        if op == "NonMaxSuppression":
            if self.suppressed:
                raise site.refuse("it is the second; of files that suppress boxes twice none is read")
            self.suppressed[node.output[0]] = suppression(site, inputs, self.given, **_attributes(site, node))
            return
        if op == "If":
            results = self._branch(site, node, inputs[0], place)
        elif op == "Constant" or (inputs and not any(isinstance(value, Value) for value in inputs)):
            feeds: dict[str, Any] = {name: self.values[name] for name in node.input if name}
            results = evaluate(site, node, feeds, self.opsets, OPERATORS.get(op), _attributes(site, node))
            self._follow_codes(op, node)
        elif op in ("Shape", "Size") and isinstance(inputs[0], Value):
            results = [_shape(site, node, inputs[0])]
        elif op in QUANTIZING:
            results = [quantization(site, op, inputs, _attributes(site, node))]
        elif op not in OPERATORS:
            supported = ", ".join(sorted((*OPERATORS, *QUANTIZING)))
            raise site.refuse(f"operator {op} is not supported; supported are {supported}")
        else:
            results = self._translated(site, op, node, inputs)
        self.values |= {
            name: value
            for name, value in zip(node.output, results, strict=False)
            if name and value is not None
        }

    def _translated(
        self, site: OperatorContext, op: str, node: onnx.NodeProto, inputs: Sequence[Value | Constant | None]
    ) -> Sequence[Value | None]:
        """The values of a node that this reader translates."""
        given, grid = without_codes(site, op, inputs)
        arguments = [tensor(value) if isinstance(value, np.ndarray) else value for value in given]
        before = len(self.builder.nodes)
        result = site.translate(OPERATORS[op], arguments, _attributes(site, node))
        scale = self.scales.get(node.input[1]) if len(node.input) > 1 else None
        for made in [*self.builder.nodes.values()][before:]:
            if made.is_layer and scale is not None:
                self.layer_scales[made.name] = scale
                self.builder.fixed.add(made.name)
        results = [result] if isinstance(result, Value) else result
        return [value and moved(site, op, value, grid) for value in results] if grid else results

    def _follow_codes(self, op: str, node: onnx.NodeProto) -> None:
        """Remember of a constant which codes of the file it stands for."""
        if op not in (*QUANTIZING, *RESHAPING):
            return
        source, name = node.input[0], node.output[0]
        self.origins[name] = self.origins.get(source, source)
        if op == "DequantizeLinear":
            self.scales[name] = StoredScale.of(*(self.values[given] for given in node.input if given))
        elif source in self.scales:
            self.scales[name] = self.scales[source]

    def _branch(
        self, site: OperatorContext, node: onnx.NodeProto, condition: Any, place: str
    ) -> Sequence[Value | Constant | None]:
        """The outputs of the branch of an If that is taken, whose nodes are read as if they stood here."""
        if not isinstance(condition, np.ndarray):
            raise site.refuse("its condition is computed at run time; it must be constant")
        wanted = "then_branch" if bool(condition.ravel()[0]) else "else_branch"
        graph = next(attribute.g for attribute in node.attribute if attribute.name == wanted)
        for constant in graph.initializer:
            self.values[constant.name] = numpy_helper.to_array(constant)
        for inner in graph.node:
            self.read(inner, f"{place}: node {inner.name!r} ({inner.op_type})")
        return [self.values.get(output.name) for output in graph.output]

    def _name(self, node: onnx.NodeProto) -> str:
        weight = self.origins.get(node.input[1], node.input[1]) if len(node.input) > 1 else ""
        if node.op_type in NAMED_BY_WEIGHT and weight in self.weight_names:
            name = weight.removesuffix("_quantized").removesuffix(".codes")
            name = name.removesuffix(".weight").removesuffix("_weight")
            if name and not MADE_UP.fullmatch(name):
                return name
        return str(node.name) or f"{node.op_type.lower()}_{len(self.builder.nodes) + 1}"


def _attributes(site: OperatorContext, node: onnx.NodeProto) -> dict[str, Any]:
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    for name, value in values.items():
        unlimited = (node.op_type, name) in UNLIMITED and value in (math.inf, -math.inf)
        if isinstance(value, float) and not math.isfinite(value) and not unlimited:
            raise site.refuse(f"its attribute {name} is {value}")
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def _shape(site: OperatorContext, node: onnx.NodeProto, value: Value) -> Constant:
    """Shape or Size of a value, which is known without running anything."""
    if node.op_type == "Size":
        return np.array(np.prod(value.shape), dtype=np.int64)
    bounds = _attributes(site, node)
    return np.array(value.shape[bounds.get("start") : bounds.get("end")], dtype=np.int64)


def _wanted(graph: onnx.GraphProto) -> set[str]:
    """The values that a graph's outputs depend on, by name."""
    wanted = {output.name for output in graph.output}
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            wanted |= _read_by(node)
    return wanted


def _read_by(node: onnx.NodeProto) -> set[str]:
    """What a node reads, in the branches that it has too."""
    branches = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return {
        *node.input,
        *(name for branch in branches for inner in branch.node for name in _read_by(inner)),
        *(output.name for branch in branches for output in branch.output),
    }
