"""Writes a `Network` as an ONNX file, for programs that read no other; `onnx_reader` reads it back.

The graph is written as it is: batch norm is folded, layers keep their names, preprocessing and task go into
the file's metadata. How each operator is written is in `onnx_emitters` and `onnx_layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from videoquant.files import atomic_write
from videoquant.network.graph import Network, Node, unique
from videoquant.network.onnx_emitters import FORMS, OPSET
from videoquant.network.onnx_graph_builder import OnnxGraphBuilder
from videoquant.network.onnx_layout import LAYOUT_OPERATORS
from videoquant.network.preprocessing import Preprocessing

OPERATORS = {**FORMS, **LAYOUT_OPERATORS}
IR_VERSION = 9  # of the file format; the one that came with the operators of `OPSET`


NEXT = "next/"  # stands before the name of a state in that of the output which feeds it


def write_onnx(network: Network, path: str | Path) -> None:
    """Write a network as an ONNX file with one float32 input of the size it was captured with.

    Of a network with states each is another input, which the output "next/NAME" feeds; the metadata says so.
    Raises `NetworkError` for an operator in a form that ONNX does not have, `OutputError` where the file
    cannot be written.
    """
    model = to_onnx(network)
    with atomic_write(path) as temporary:
        onnx.save(model, temporary)


def to_onnx(network: Network) -> onnx.ModelProto:
    """A network as an ONNX model; see `write_onnx`."""
    return GraphWriter(network, OnnxGraphBuilder(network.name, ()), OPSET).model()


class GraphWriter:
    """Writes a network node by node; what writes quantized networks derives from it.

    names: what each value is called in the file.
    inputs, outputs: what the graph takes beside the picture, and gives beside the network's outputs, with
        their shapes.
    """

    def __init__(self, network: Network, sheet: OnnxGraphBuilder, opset: int) -> None:
        self.network, self.sheet, self.opset = network, sheet, opset
        self.names = _value_names(network)
        self.inputs: dict[str, Sequence[int]] = {}
        self.outputs: dict[str, Sequence[int]] = {}
        sheet.take({*self.names.values(), *network.outputs, *(NEXT + self.names[s] for s in network.states)})

    def write(self, node: Node, inputs: list[str]) -> None:
        """Write one node, which the sheet is turned to. inputs: the names of the values it reads."""
        OPERATORS[node.op](self.sheet, *inputs, **self.network.node_tensors(node), **node.attributes)

    def metadata(self) -> dict[str, str]:
        texts = metadata(self.network.preprocessing)
        if self.network.states:
            names = [self.names[state] for state in self.network.states]
            texts["state"] = ",".join(f"{NEXT}{name}={name}" for name in names)
        return texts

    def write_state(self, node: Node) -> None:
        """Called for a state, which the graph takes as an input."""

    def model(self) -> onnx.ModelProto:
        network, sheet, names = self.network, self.sheet, self.names
        for node in network.nodes:
            if node.op == "state":
                self.inputs[names[node.name]] = network.shapes[node.name]
                self.write_state(node)
                continue
            shapes = [network.shapes[value] for value in node.inputs]
            sheet.begin(node, shapes, network.shapes[node.name], names[node.name])
            self.write(node, [names[value] for value in node.inputs])
        for output, value in network.outputs.items():
            if output != names[value]:  # a second name for a value, or for the input itself
                sheet.nodes.append(helper.make_node("Identity", [names[value]], [output], name=output))
        for state, value in network.states.items():
            output = NEXT + names[state]
            sheet.nodes.append(helper.make_node("Identity", [names[value]], [output], name=output))
            self.outputs[output] = network.shapes[value]
        outputs = {output: network.shapes[value] for output, value in network.outputs.items()}
        graph = helper.make_graph(
            sheet.nodes,
            network.name,
            _floats({network.input: network.input_shape} | self.inputs),
            _floats(outputs | self.outputs),
            sheet.tensors,
        )
        opset = helper.make_opsetid("", self.opset)
        ir_version = max(IR_VERSION, helper.find_min_ir_version_for([opset]))
        model = helper.make_model(graph, opset_imports=[opset], ir_version=ir_version)
        helper.set_model_props(model, self.metadata())
        return model


def _floats(values: Mapping[str, Sequence[int]]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values.items()]


def metadata(preprocessing: Preprocessing) -> dict[str, str]:
    """The texts from which `Preprocessing.from_metadata` makes the same again."""
    texts = {
        "mean": ",".join(map(repr, preprocessing.mean)),
        "std": ",".join(map(repr, preprocessing.std)),
        "scale": repr(preprocessing.scale),
        "color": preprocessing.color,
        "fit": preprocessing.fit,
    }
    if preprocessing.task is not None:
        texts["task"] = preprocessing.task
    return texts | preprocessing.boxes.to_text()


def state_names(network: Network) -> dict[str, str]:
    """What the inputs are called that states are in the file, in its order."""
    names = _value_names(network)
    return {node.name: names[node.name] for node in network.nodes if node.op == "state"}


def _value_names(network: Network) -> dict[str, str]:
    """What each value is called in the file: as its node, but outputs as the user knows them."""
    names = {network.input: network.input}
    outputs = {value: output for output, value in reversed(network.outputs.items()) if value != network.input}
    taken = {network.input, *network.outputs}
    for node in network.nodes:
        names[node.name] = outputs[node.name] if node.name in outputs else unique(node.name, taken)
        taken.add(names[node.name])
    return names
