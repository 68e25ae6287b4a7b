"""One program of a plan: the operators of a keyframe (or of any frame), or those of a residual frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from videoquant.axes import DenseSparse
from videoquant.engine.body import Body
from videoquant.engine.elementwise import binary_step, unary_step
from videoquant.engine.fusion import Group, read_as_float
from videoquant.engine.layers import float_layer, integer_layer
from videoquant.engine.points import FrameKind, Stores, Use, layer_weights, made_by, residual_time, uses
from videoquant.engine.range_updates import measure, predict
from videoquant.engine.samples import early_samples, sampled_layer, sampled_size
from videoquant.engine.tables import Grids, Slots
from videoquant.network.graph import Node
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.runtime.sizes import Size, channels_last
from videoquant.simulate.activations import DynamicGrid
from videoquant.simulate.quantized import QuantizedNetwork

Step = dict[str, Any]


class Program:
    """Builds the operators of one kind of frame, and the range updates between them.

    slots, grids: those of the plan, which its programs share.
    ops, updates: what was built, in order.
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
        self.stores = Stores(slots, grids, body.sizes, self.time, kind, dense_sparse)
        self.made = made_by(groups)
        # What predictors read, by the body's value; several values of the network may be one there.
        self.watched: dict[str, list[str]] = {}
        for value in quantized.watched:
            self.watched.setdefault(body.value(value), []).append(value)
        self.early = {} if self.time else early_samples(body, groups, self.made, self.watched)
        self.uses = {use.point: use for use in uses(quantized, body, groups, kind, self.early)}
        self.floats = read_as_float(body, groups, quantized.points) | (
            self.watched.keys() - self.early.keys()
        )
        self.floats |= {use.value for use in self.uses.values() if use.late or not use.quantized}
        self.ops: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self._constants()
        ready: set[QuantizationPoint] = set()
        for index, group in enumerate(groups):
            point = quantized.points.get(group.head.name) if group.head else None
            if point is not None and point not in ready:
                ready.add(point)
                self._before_layers(self.uses[point])
            looked_at = [v for v in group.values if v in self.watched and self.made[v] == index]
            for value in looked_at:
                if value in self.early:
                    self._sample(group, value)
            self._group(index, group)
            for value in looked_at:
                if value not in self.early:
                    self._predict(value, self._value(value), self.body.sizes[value])

    # Slots and steps

    def _value(self, value: str) -> int:
        """The slot of a value as float32."""
        return self.slots.get("value", value, self.body.size(value))

    def _node_step(self, group: Group, index: int) -> Step:
        """The step of an elementwise node."""
        node, operand = group.nodes[index], group.operand(index)
        if operand is None:
            tensors = self.quantized.network.node_tensors(node)
            return unary_step(node, tensors, self.body.sizes[node.name][2])
        number = self.body.number(operand)
        other = {"slot": self._value(operand)} if number is None else {"value": number}
        return binary_step(node, node.inputs.index(group.values[index]), other)

    def _layer_steps(self, node: Node) -> list[Step]:
        """The first steps of a layer: y = y_k + W ∗ δ, and y kept where later frames begin with it."""
        if self.time is None or node.name not in self.quantized.points:
            return []
        before = self.slots.get("output", node.name, self.body.sizes[node.name], keep=True)
        steps: list[Step] = [{"do": "add", "slot": before}] if self.kind == "residual" else []
        if self.kind == "key" or self.time.recurrent:
            steps.append({"do": "store", "slot": before})
        return steps

    # Operators

    def _emit(
        self, name: str, operator: dict[str, Any], inputs: list[int], size: Size, steps: list[Step]
    ) -> None:
        height, width, channels = size
        op = {"name": name, "attrs": {}, "tensors": {}, **operator, "inputs": inputs, "steps": steps}
        self.ops.append({**op, "h": height, "w": width, "c": channels})

    def _constants(self) -> None:
        """Constants that programs read come first."""
        for value, constant in self.body.constants.items():
            if value in self.floats:
                operator = {
                    "kind": "constant",
                    "tensors": {"value": channels_last(constant.detach().float())},
                }
                store = {"do": "store", "slot": self._value(value)}
                self._emit(value, operator, [], self.body.size(value), [store])

    def _group(self, index: int, group: Group) -> None:
        """A group's operator with its program."""
        steps: list[Step] = []
        for i, value in enumerate(group.values):
            if i > 0:
                steps.append(self._node_step(group, i - 1))
            if self.made[value] != index:
                continue  # what a map begins with: another group has stored it
            if group.head is not None and i == 0:
                steps += self._layer_steps(group.head)
            if value in self.floats and value != self.quantized.network.input:
                steps.append({"do": "store", "slot": self._value(value)})
            for use in self.uses.values():
                if use.value == value and not use.late:
                    steps += self.stores.steps(use)
        if not steps:  # nothing happens to the network's input before it is read
            return
        if group.head is None:
            operator, inputs = {"kind": "map"}, [self._value(group.begin)]
        else:
            operator, inputs = self._operator(group.head)
        self._emit(group.begin, operator, inputs, self.body.sizes[group.begin], steps)

    def _operator(self, node: Node) -> tuple[dict[str, Any], list[int]]:
        """What a node is in the plan, without its program, and the slots that it reads."""
        if not node.is_layer:
            operator = self.body.operators[node.name]
            return {"kind": operator.kind, "attrs": operator.attrs}, [self._value(v) for v in node.inputs]
        network, point = self.quantized.network, self.quantized.points.get(node.name)
        size = self.body.sizes[node.inputs[0]]
        if point is None:
            return float_layer(network, node, size, None, bias=True), [self._value(node.inputs[0])]
        use, bias = self.uses[point], self.kind == "key"
        weights = layer_weights(self.quantized, node.name, self.kind)
        if use.quantized and weights is not None:
            layer = integer_layer(network, node, size, weights, bias)
            layer |= {"grid": self.stores.grid(use), **self.stores.sparse(use)}
            return layer, [self.stores.codes(use)]
        as_it_is = self.kind == "key" and not use.quantized
        slot = self._value(use.value) if as_it_is else self.stores.values(use)
        return float_layer(network, node, size, weights, bias), [slot]

    # What stands at points and positions

    def _before_layers(self, use: Use) -> None:
        """What a point needs operators of its own for, before the first layer that reads it."""
        size, name = self.body.sizes[use.value], str(use.point)
        if use.late:
            x = self._value(use.value)
            if isinstance(use.source, DynamicGrid):
                self._measure(use, x)
            self._emit(name, {"kind": "map"}, [x], size, self.stores.steps(use))
        from_codes = self.kind == "residual" and use.quantized and use.floats
        sparse = self.stores.sparse(use) if use.quantized else {}
        if sparse:
            self._emit(name, {"kind": "sparse"}, [sparse["sparse"]], size, [])
        if from_codes:
            dequantize = {"kind": "dequantize", "grid": self.stores.grid(use), **sparse}
            store = {"do": "store", "slot": self.stores.values(use)}
            self._emit(name, dequantize, [self.stores.codes(use)], size, [store])

    def _measure(self, use: Use, x: int) -> None:
        """Measure the range of a value, or of its residual, which is computed for that."""
        if self.kind == "residual":
            residual = self.slots.get("residual", str(use.point), self.body.sizes[use.value])
            steps = [{"do": "sub", "slot": self.stores.reference(use)}, {"do": "store", "slot": residual}]
            self._emit(str(use.point), {"kind": "map"}, [x], self.body.sizes[use.value], steps)
            x = residual
        shape = self.quantized.network.shapes[use.point.value]
        update = measure(use, self.stores.grid(use), shape)
        self.updates.append({"before_op": len(self.ops), "slot": x, "measure": update})

    def _sample(self, group: Group, value: str) -> None:
        """The part of a value that its features are taken of, by an operator of its own."""
        assert group.head is not None
        steps = [self._node_step(group, i) for i in range(group.values.index(value))]
        size = sampled_size(self.body.sizes[value], self.early[value])
        slot = self.slots.get("sample", value, size)
        operator, inputs = self._operator(group.head)
        operator = sampled_layer(operator, self.early[value])
        self._emit(f"{value} sample", operator, inputs, size, [*steps, {"do": "store", "slot": slot}])
        self._predict(value, slot, size)

    def _predict(self, value: str, slot: int, size: Size) -> None:
        """Take the features of a value, or of the sample of it that a slot holds."""
        for named in self.watched[value]:
            shape = self.quantized.network.shapes[named]
            shape = (1, size[2], size[0], size[1]) if len(shape) == 4 else shape
            watched = self.quantized.watched[named]
            update = predict(named, shape, watched, self.uses, self.stores, self.kind)
            if update["grids"] or update["remember"]:
                self.updates.append({"before_op": len(self.ops), "slot": slot, "predict": update})
