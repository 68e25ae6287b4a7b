"""Writes what one kind of frame computes as an ONNX graph: quantizers, layers, and the state of residuals.

Long because all that one frame's graph holds is written in the order in which it runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import onnx
import torch
from onnx import TensorProto

from videoquant.axes import DenseSparse, Residual
from videoquant.errors import SchemeError
from videoquant.exporting.feature_operators import write_features, write_ranges
from videoquant.exporting.measured_ranges import measured_range
from videoquant.exporting.quantized_graph_builder import QuantizedGraphBuilder
from videoquant.exporting.range_operators import (
    WrittenGrid,
    fixed_grid,
    grid_of_range,
    quantize_linear,
)
from videoquant.exporting.sparse_operators import sparse_part
from videoquant.exporting.state_names import following, output_name, reference_name, watched_name
from videoquant.network.graph import Node
from videoquant.network.onnx_writer import OPERATORS, GraphWriter
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.quantizers.weights import WeightCodes
from videoquant.ranges.sources import DynamicGrid, PredictedGrid, RangeSource
from videoquant.simulate.quantized import QuantizedNetwork

# How layers are written: as QDQ, which every runtime reads and fuses as it can; or as ConvInteger and
# MatMulInteger, whose sums are the engine's own to the last bit.
Form = Literal["qdq", "integer"]
Kind = Literal["frame", "key", "residual"]  # of frames
FORMS: tuple[Form, ...] = get_args(Form)
IN_INTEGERS = ("conv2d", "conv_transpose2d", "linear")  # the layers that have an integer form


@dataclass(frozen=True)
class WrittenInput:
    """What layers read at a quantizer point, as names in the file.

    values: x̂, float32.
    codes, grid: None at 32 bits.
    sparse: S of Dense + Sparse.
    """

    values: str
    codes: str | None = None
    grid: WrittenGrid | None = None
    sparse: str | None = None


class FrameWriter(GraphWriter):
    """Writes what one kind of frame computes.

    frame: "frame" of a frame scheme, else "key" or "residual".
    """

    sheet: QuantizedGraphBuilder

    def __init__(self, quantized: QuantizedNetwork, frame: Kind, opset: int, form: Form | None) -> None:
        self.quantized, self.frame, network = quantized, frame, quantized.network
        self.is_residual = frame == "residual"
        self.sources = {point: self._source(point) for point in dict.fromkeys(quantized.points.values())}
        if form is None:
            static = all(source.known == "before" for source in self.sources.values())
            form = "qdq" if static and frame == "frame" else "integer"
        sheet = QuantizedGraphBuilder(network.name, opset, form == "integer")
        super().__init__(network, sheet, opset)
        self.written: dict[QuantizationPoint, WrittenInput] = {}
        self.ranges: dict[QuantizationPoint, tuple[str, str]] = {}
        time = quantized.scheme.time
        self.time = time if isinstance(time, Residual) else None
        self.is_recurrent = self.is_residual and self.time is not None and self.time.recurrent
        if self.frame == "key":
            for layer, point in quantized.points.items():
                if layer not in network.outputs.values() and self._has_state(point):
                    self.names[layer] = output_name(layer)
        if self.is_residual:
            self._take_state()

    def metadata(self) -> dict[str, str]:
        stated = self.network.metadata | super().metadata()
        return stated | {"scheme": str(self.quantized.scheme), "frame": self.frame}

    def model(self) -> onnx.ModelProto:
        self._watch(self.network.input)
        return super().model()

    def write(self, node: Node, inputs: list[str]) -> None:
        point = self.quantized.points.get(node.name)
        if point is None:
            super().write(node, inputs)
        else:
            if point not in self.written:
                self._quantize(point, inputs[0], node)
            self._layer(node, self.written[point])
        self._watch(node.name)

    def write_state(self, node: Node) -> None:
        self._watch(node.name)

    # Quantizers

    def _source(self, point: QuantizationPoint) -> RangeSource:
        grids = self.quantized.grids[point]
        source = grids.residual if self.is_residual else grids.key
        assert source is not None
        return source

    def _at(self, value: str) -> None:
        """Let what follows be named after a value, not after the node in hand."""
        self.sheet.begin(
            Node(value, "quantize"), [self.network.shapes[value]], self.network.shapes[value], ""
        )

    def _quantize(self, point: QuantizationPoint, x: str, node: Node) -> None:
        sheet, network = self.sheet, self.network
        self._at(point.value)
        reference = reference_name(point)
        stays = self._has_state(point)
        if self.is_residual and stays:
            x = sheet.step("Sub", x, reference, part="residual")
        written = self._represent(point, x)
        if self.frame == "key" and stays:
            assert self.time is not None
            self._give(written.values if self.time.quantized_reference else x, reference, point.value)
        elif self.is_recurrent and stays:
            moved = sheet.step("Add", reference, written.values, part="moved")
            self._give(moved, following(reference), point.value)
        self.written[point] = written
        shapes = [network.shapes[value] for value in node.inputs]
        sheet.begin(node, shapes, network.shapes[node.name], self.names[node.name])

    def _represent(self, point: QuantizationPoint, x: str) -> WrittenInput:
        sheet = self.sheet
        grid = self._grid(point, x)
        if grid is None:
            return WrittenInput(x)
        codes = quantize_linear(sheet, x, grid)
        values = sheet.step("DequantizeLinear", codes, grid.scale, grid.zero, part="quantized")
        if not isinstance(self.quantized.scheme.representation, DenseSparse):
            return WrittenInput(values, codes, grid)
        sparse = sparse_part(sheet, x, values, grid)
        return WrittenInput(sheet.step("Add", values, sparse, part="with_sparse"), codes, grid, sparse)

    def _grid(self, point: QuantizationPoint, x: str) -> WrittenGrid | None:
        source, sheet = self.sources[point], self.sheet
        first = source.first_grid
        if first is None:
            return None
        bits = point.residual if self.is_residual else point.key
        assert bits is not None
        if source.fixed is not None:
            return fixed_grid(sheet, source.fixed, bits)
        if isinstance(source, DynamicGrid):
            count = math.prod(self.network.shapes[point.value])
            ends = measured_range(sheet, x, count, source.estimator, bits, source.symmetric)
            return grid_of_range(sheet, *ends, source.estimator, bits, source.symmetric)
        if isinstance(source, PredictedGrid):
            return grid_of_range(sheet, *self.ranges[point], source.estimator, bits, source.symmetric)
        raise SchemeError(f"ranges of {type(source).__name__} have no form in ONNX")

    def _watch(self, value: str) -> None:
        """Take the features of a value that predictors read, and the ranges that they make of them."""
        watched = self.quantized.watched.get(value)
        if watched is None:
            return
        sheet, x = self.sheet, self.names[value]
        self._at(value)
        predicted = {
            point: source.predictor
            for point, source in self.sources.items()
            if source.predictor is not None and source.predictor.position == value
        }
        if predicted:
            seen = x
            if self.is_residual:
                away = sheet.step("Sub", x, watched_name(value), part="away")
                seen = sheet.step("Abs", away, part="distance")
            names = watched.residual if self.is_residual else watched.key
            features = write_features(sheet, seen, self.network.shapes[value], names, watched.samples)
            self.ranges.update(
                zip(predicted, write_ranges(sheet, features, list(predicted.values())), strict=True)
            )
        if self.frame == "key" and watched.residual:
            self._give(x, watched_name(value), value)
        elif self.is_recurrent and watched.residual:
            self._give(x, following(watched_name(value)), value)

    # Layers

    def _layer(self, node: Node, x: WrittenInput) -> None:
        """y = product · scale + bias, + W∗S, + what the layer gave on the keyframe; in this order."""
        sheet, result = self.sheet, self.sheet.result
        weights = self.quantized.weights[node.name]
        codes = weights.residual if self.is_residual else weights.key
        tensors = self.network.node_tensors(node)
        adds_to_state = self.is_residual and self._has_state(self.quantized.points[node.name])
        bias = None if adds_to_state else tensors.get("bias")
        if self.is_residual and weights.residual_bias is not None:
            bias = weights.residual_bias
        weight = {"weight": tensors["weight"]}
        then: list[tuple[str, str]] = []
        if adds_to_state:
            then = [("Add", output_name(node.name))]
        if self.sheet.integer and node.op in IN_INTEGERS and x.grid is not None and codes is not None:
            if x.sparse is not None:
                then.insert(0, ("Add", self._plain(node, x.sparse, codes, weight, "sparse_product")))
            if bias is not None:
                shape = (-1,) if node.op == "linear" else (-1, 1, 1)
                then.insert(0, ("Add", sheet.floats(bias.view(shape), "bias")))
            product, scale = self._sums(node, x, codes)
            then.insert(0, ("Mul", scale))
        else:
            fixed = x.grid.fixed if x.grid is not None and x.sparse is None else None
            tensors = weight if bias is None else weight | {"bias": bias}
            part = "product" if then else ""
            product = self._plain(node, x.values, codes, tensors, part, fixed.scale if fixed else None)
        for op, operand in then[:-1]:
            product = sheet.step(op, product, operand, part=op.lower())
        if then:
            sheet.result = result
            sheet.write_as("out", then[-1][0], product, then[-1][1])
        self._keep(node, result)

    def _plain(
        self,
        node: Node,
        x: str,
        codes: WeightCodes | None,
        tensors: dict[str, torch.Tensor],
        part: str,
        input_scale: float | None = None,
    ) -> str:
        """The layer's own operator on x̂ and ŵ. part: of the value it gives; empty: it is the result."""
        sheet = self.sheet
        if part:
            sheet.aside(part)
        sheet.layer(codes, input_scale)
        OPERATORS[node.op](sheet, x, **tensors, **node.attributes)
        sheet.layer(None, None)
        return sheet.result

    def _sums(self, node: Node, x: WrittenInput, codes: WeightCodes) -> tuple[str, str]:
        """float32(acc), acc = Σ (q − z_x) · (w − z_w), and s_x · s_w: the engine's own numbers."""
        sheet, step = self.sheet, self.sheet.step
        assert x.codes is not None and x.grid is not None
        turned, attributes = node.op == "linear", node.attributes
        if node.op == "conv_transpose2d":  # ONNX has it in float32 alone, where whole numbers add up exactly
            one = sheet.floats(torch.ones(()), "one")
            steps = step("DequantizeLinear", x.codes, one, x.grid.zero, part="steps")
            sums = sheet.aside("sums")
            OPERATORS[node.op](sheet, steps, weight=codes.steps, **attributes)
            return sums, self._scale(codes, x.grid, turned)
        weight, weight_zero = sheet.bytes_of(codes, turned)
        inputs = [x.codes, weight, x.grid.zero, weight_zero]
        if turned:
            acc = step("MatMulInteger", *inputs, part="acc")
        else:
            window = {
                "strides": attributes["stride"],
                "pads": attributes["padding"],
                "dilations": attributes["dilation"],
                "kernel_shape": list(codes.codes.shape[2:]),
            }
            acc = step("ConvInteger", *inputs, part="acc", group=attributes["groups"], **window)
        sums = step("Cast", acc, part="sums", to=TensorProto.FLOAT)
        return sums, self._scale(codes, x.grid, turned)

    def _scale(self, codes: WeightCodes, grid: WrittenGrid, turned: bool) -> str:
        """s_x · s_w, along the outputs."""
        scale = codes.scale if codes.scale.numel() > 1 else codes.scale.view(())
        if scale.dim() and not turned:
            scale = scale.view(-1, 1, 1)
        if grid.fixed is not None:
            return self.sheet.floats(scale * grid.fixed.scale, "scale")
        return self.sheet.step("Mul", self.sheet.floats(scale, "weight.scale"), grid.scale, part="scale")

    def _keep(self, node: Node, value: str) -> None:
        """Give what a layer computed as state."""
        if not self._has_state(self.quantized.points[node.name]):
            return
        name = output_name(node.name)
        if self.frame == "key":
            if value != name:  # it is an output of the network too
                self._copy(value, name)
            self.outputs[name] = self.network.shapes[node.name]
        elif self.is_recurrent:
            self._give(value, following(name), node.name)

    def _give(self, value: str, name: str, shaped: str) -> None:
        """Give a value as state. shaped: the value of the network that it has the shape of."""
        self._copy(value, name)
        self.outputs[name] = self.network.shapes[shaped]

    def _copy(self, value: str, name: str) -> None:
        self.sheet.nodes.append(onnx.helper.make_node("Identity", [value], [name], name=name))

    def _has_state(self, point: QuantizationPoint) -> bool:
        """Whether residual frames take a difference there, and not the frame's own codes."""
        return not self.quantized.grids[point].of_frame

    def _take_state(self) -> None:
        shapes = self.network.shapes
        for layer, point in self.quantized.points.items():
            if self._has_state(point):
                self.inputs[reference_name(point)] = shapes[point.value]
                self.inputs[output_name(layer)] = shapes[layer]
        for value, spec in self.quantized.watched.items():
            if spec.residual:
                self.inputs[watched_name(value)] = shapes[value]
        self.sheet.take(self.inputs)
