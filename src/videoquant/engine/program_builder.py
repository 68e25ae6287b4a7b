"""One program of a plan: the operators of a keyframe (or of any frame), or those of a residual frame."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.engine.body import Body
from videoquant.engine.elementwise import combine, function
from videoquant.engine.fusion import Group, read_as_float
from videoquant.engine.layers import float_layer, integer_layer
from videoquant.engine.operators import Operator
from videoquant.engine.quantizers import (
    FrameKind,
    LoweredQuantizer,
    QuantizerEmitter,
    layer_weights,
    lower_quantizers,
    made_by,
    residual_time,
)
from videoquant.engine.samples import early_samples, sampled_layer, sampled_size
from videoquant.engine.tables import Grids, Slots
from videoquant.engine.updates import measured_range, predicted_ranges
from videoquant.network.graph import Node
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.sources import Static
from videoquant.runtime.program import Combine, Op, Program, RangeUpdate, Step, Store
from videoquant.runtime.sizes import Size, channels_last
from videoquant.simulate.quantized import QuantizedNetwork


class ProgramBuilder:
    """Builds the operators of one kind of frame, and the range updates between them.

    slots, grids: those of the plan, which its programs share.
    program: what was built.
    """

    def __init__(
        self,
        quantized: QuantizedNetwork,
        body: Body,
        groups: Sequence[Group],
        slots: Slots,
        grids: Grids,
        kind: FrameKind,
    ) -> None:
        self.quantized, self.body, self.slots, self.kind = quantized, body, slots, kind
        self.time = residual_time(quantized)
        dense_sparse = isinstance(quantized.scheme.representation, DenseSparse)
        self.emitter = QuantizerEmitter(slots, grids, body.sizes, self.time, kind, dense_sparse)
        # With regions, a residual frame finds its own codes outside of them as the keyframe left them.
        self.ahead = QuantizerEmitter(slots, grids, body.sizes, self.time, "residual", dense_sparse)
        self.made = made_by(groups)
        # What predictors read, by the body's value; several values of the network may be one there.
        self.watched: dict[str, list[str]] = {}
        for value in quantized.watched:
            self.watched.setdefault(body.value(value), []).append(value)
        counts = {value: quantized.watched[names[0]].samples for value, names in self.watched.items()}
        self.early = {} if self.time else early_samples(quantized.network, body, groups, self.made, counts)
        self.quantizers = {
            quantizer.point: quantizer
            for quantizer in lower_quantizers(quantized, body, groups, kind, self.early)
        }
        regions = kind == "key" and self.time and isinstance(quantized.scheme.ranges, Static)
        self.of_frame = [
            quantizer
            for quantizer in (lower_quantizers(quantized, body, groups, "residual", ()) if regions else ())
            if quantizer.of_frame
        ]
        self.floats = read_as_float(body, groups, quantized.points) | (
            self.watched.keys() - self.early.keys()
        )
        self.floats |= {q.value for q in self.quantizers.values() if q.late or not q.quantized}
        if self.time:  # what layers read as it is on keyframes is up to date on all frames
            self.floats |= {
                body.quantized(point.value)
                for point, grids in quantized.grids.items()
                if grids.key.first_grid is None
            }
        self.ops: list[Op] = []
        self.updates: list[RangeUpdate] = []
        self._constants()
        ready: set[QuantizationPoint] = set()
        for index, group in enumerate(groups):
            point = quantized.points.get(group.head.name) if group.head else None
            if point is not None and point not in ready:
                ready.add(point)
                self._before_layers(self.quantizers[point])
            looked_at = [v for v in group.values if v in self.watched and self.made[v] == index]
            for value in looked_at:
                if value in self.early:
                    self._sample(group, value)
            self._group(index, group)
            for value in looked_at:
                if value not in self.early:
                    self._predict(value, self._value(value), self.body.sizes[value])
        self._carry_states()
        self.program = Program(tuple(self.ops), tuple(self.updates))

    # Slots and steps

    def _value(self, value: str) -> int:
        """The slot of a value as float32."""
        return self.slots.get("value", value, self.body.size(value))

    def _node_steps(self, group: Group, index: int) -> list[Step]:
        """The steps of an elementwise node."""
        node, operand = group.nodes[index], group.operand(index)
        if operand is None:
            tensors = self.quantized.network.node_tensors(node)
            return function(node, tensors, self.body.sizes[node.name][2])
        number = self.body.number(operand)
        slot = self._value(operand) if number is None else None
        return [combine(node, node.inputs.index(group.values[index]), slot, number)]

    def _layer_steps(self, node: Node) -> list[Step]:
        """The first steps of a layer: y = y_k + W ∗ δ, and y kept where later frames begin with it."""
        point = self.quantized.points.get(node.name)
        if self.time is None or point is None or self.quantized.grids[point].of_frame:
            return []
        before = self.slots.get("output", node.name, self.body.sizes[node.name], keep=True)
        steps: list[Step] = [Combine("add", before)] if self.kind == "residual" else []
        if self.kind == "key" or self.time.recurrent:
            steps.append(Store(before))
        return steps

    # Operators

    def _emit(
        self,
        name: str,
        value: str,
        operator: Operator,
        inputs: Sequence[int],
        size: Size,
        steps: Sequence[Step],
        grid: int | None = None,
        sparse: int | None = None,
    ) -> None:
        """value: the one that the operator gives, by the body's name."""
        kind, attrs, tensors = operator.kind, operator.attrs, operator.tensors
        placeless = value in self.body.placeless
        self.ops.append(
            Op(kind, name, tuple(inputs), *size, tuple(steps), grid, sparse, attrs, tensors, placeless)
        )

    def _constants(self) -> None:
        """Constants that programs read come first."""
        for value, constant in self.body.constants.items():
            if value in self.floats:
                pixels = channels_last(constant.detach().float().numpy())
                operator = Operator("constant", tensors={"value": pixels})
                self._emit(value, value, operator, [], self.body.size(value), [Store(self._value(value))])

    def _group(self, index: int, group: Group) -> None:
        """A group's operator with its program."""
        steps: list[Step] = []
        for i, value in enumerate(group.values):
            if i > 0:
                steps += self._node_steps(group, i - 1)
            if self.made[value] != index:
                continue  # what a map begins with: another group has stored it
            if group.head is not None and i == 0:
                steps += self._layer_steps(group.head)
            if value in self.floats and value not in (self.quantized.network.input, *self.body.states):
                steps.append(Store(self._value(value)))
            for quantizer in self.quantizers.values():
                if quantizer.value == value and not quantizer.late:
                    steps += self.emitter.steps(quantizer)
            for quantizer in self.of_frame:
                if quantizer.value == value:
                    steps += self.ahead.steps(quantizer)
        if not steps:  # nothing happens to the network's input before it is read
            return
        size = self.body.sizes[group.begin]
        if group.head is None:
            self._emit(
                group.begin, group.values[-1], Operator("map"), [self._value(group.begin)], size, steps
            )
        else:
            self._emit_node(group.begin, group.head, size, steps)

    def _emit_node(
        self,
        name: str,
        node: Node,
        size: Size,
        steps: Sequence[Step],
        sampled: tuple[int, int] | None = None,
    ) -> None:
        """The operator of a node. sampled: a layer gives every a-th row and b-th column alone."""
        if not node.is_layer:
            inputs = [self._value(value) for value in node.inputs]
            return self._emit(name, node.name, self.body.operators[node.name], inputs, size, steps)
        network, point = self.quantized.network, self.quantized.points.get(node.name)
        quantizer = None if point is None else self.quantizers[point]
        weights = None if point is None else layer_weights(self.quantized, node.name, self.kind)
        bias, whole = self._bias(node, quantizer), self._read_by(node)
        grid = sparse = None
        if quantizer is not None and quantizer.quantized and weights is not None:
            layer, slot = integer_layer(network, node, whole, weights, bias), self.emitter.codes(quantizer)
            grid, sparse = self.emitter.grid(quantizer), self.emitter.sparse(quantizer)
        else:
            layer, slot = float_layer(network, node, whole, weights, bias), self._float_input(node, quantizer)
        layer = layer if sampled is None else sampled_layer(layer, sampled)
        self._emit(name, node.name, layer, [slot], size, steps, grid, sparse)

    def _read_by(self, node: Node) -> Size:
        """The part of its input that a linear layer covers: one pixel, or of a flattened map all."""
        size = self.body.sizes[node.inputs[0]]
        features = self.quantized.network.tensors[f"{node.name}.weight"].shape[1]
        by_pixel = node.op == "linear" and features == size[2]
        return (1, 1, size[2]) if by_pixel else size

    def _bias(self, node: Node, quantizer: LoweredQuantizer | None) -> Tensor | None:
        """What a layer adds to its sums; None where it adds them to the reference frame's output."""
        if quantizer is not None and self.kind == "residual":
            if not quantizer.of_frame:
                return None
            own = self.quantized.weights[node.name].residual_bias
            if own is not None:
                return own
        return self.quantized.network.node_tensors(node).get("bias")

    def _float_input(self, node: Node, quantizer: LoweredQuantizer | None) -> int:
        """The slot that a layer in floating point reads: the value as it is, or what its codes stand for."""
        if quantizer is None:
            return self._value(node.inputs[0])
        as_it_is = self.kind == "key" and not quantizer.quantized
        return self._value(quantizer.value) if as_it_is else self.emitter.values(quantizer)

    def _carry_states(self) -> None:
        """What states become goes to their slots, now that nothing reads what they were."""
        states = {state: value for state, value in self.body.states.items() if value != state}
        sources = {value: self._value(value) for value in states.values()}
        for value in filter(states.__contains__, tuple(sources)):  # a state that is itself about to change
            copy = self.slots.get("before", value, self.body.size(value))
            self._copy(value, sources[value], copy)
            sources[value] = copy
        for state, value in states.items():
            self._copy(state, sources[value], self._value(state))

    def _copy(self, value: str, source: int, to: int) -> None:
        self._emit(f"{value} next", value, Operator("map"), [source], self.body.size(value), [Store(to)])

    # What stands at points and positions

    def _before_layers(self, quantizer: LoweredQuantizer) -> None:
        """What a point needs operators of its own for, before the first layer that reads it."""
        size, name, value = self.body.sizes[quantizer.value], str(quantizer.point), quantizer.value
        if quantizer.late:
            x = self._value(quantizer.value)
            if quantizer.source.known == "value":
                self._measure(quantizer, x)
            self._emit(name, value, Operator("map"), [x], size, self.emitter.steps(quantizer))
        sparse = self.emitter.sparse(quantizer) if quantizer.quantized else None
        if sparse is not None:
            self._emit(name, value, Operator("sparse"), [sparse], size, [])
        if self.kind == "residual" and quantizer.quantized and quantizer.floats and not quantizer.of_frame:
            codes, grid = self.emitter.codes(quantizer), self.emitter.grid(quantizer)
            store = Store(self.emitter.values(quantizer))
            self._emit(name, value, Operator("dequantize"), [codes], size, [store], grid, sparse)

    def _measure(self, quantizer: LoweredQuantizer, x: int) -> None:
        """Measure the range of a value, or of its residual, which is computed for that."""
        size, name = self.body.sizes[quantizer.value], str(quantizer.point)
        if self.kind == "residual":
            residual = self.slots.get("residual", name, size)
            steps: list[Step] = [Combine("sub", self.emitter.reference(quantizer)), Store(residual)]
            self._emit(name, quantizer.value, Operator("map"), [x], size, steps)
            x = residual
        grid = self.emitter.grid(quantizer)
        self.updates.append(measured_range(quantizer, len(self.ops), x, grid, self.kind))

    def _sample(self, group: Group, value: str) -> None:
        """The part of a value that its features are taken of, by an operator of its own."""
        assert group.head is not None
        count = group.values.index(value)
        steps = [step for i in range(count) for step in self._node_steps(group, i)]
        size = sampled_size(self.body.sizes[value], self.early[value])
        slot = self.slots.get("sample", value, size)
        self._emit_node(f"{value} sample", group.head, size, [*steps, Store(slot)], self.early[value])
        self._predict(value, slot, size)

    def _predict(self, value: str, slot: int, size: Size) -> None:
        """Predict ranges from a value, or from the sample of it that a slot holds."""
        for named in self.watched[value]:
            shape = self.quantized.network.shapes[named]
            shape = (1, size[2], size[0], size[1]) if len(shape) == 4 else shape
            watched, quantizers = self.quantized.watched[named], self.quantizers.values()
            update = predicted_ranges(
                named, len(self.ops), slot, shape, watched, quantizers, self.emitter, self.kind
            )
            if update is not None:
                self.updates.append(update)
