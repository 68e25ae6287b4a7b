"""Writes a `Network` as an ONNX file, for programs that read no other; `onnx_reader` reads it back.

The graph is written as it is: batch norm is folded, layers keep their names, preprocessing and task go into
the file's metadata. How each operator is written is in `onnx_emitters` and `onnx_layout`.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from videoquant.files import atomic_write
from videoquant.network.graph import Network, unique
from videoquant.network.onnx_emitters import FORMS, OPSET
from videoquant.network.onnx_graph_builder import OnnxGraphBuilder
from videoquant.network.onnx_layout import LAYOUT_OPERATORS
from videoquant.network.preprocessing import Preprocessing

OPERATORS = {**FORMS, **LAYOUT_OPERATORS}
IR_VERSION = 9  # of the file format; the one that came with the operators of `OPSET`


def write_onnx(network: Network, path: str | Path) -> None:
    """Write a network as an ONNX file with one float32 input of the size it was captured with.

    Raises `NetworkError` for an operator in a form that ONNX does not have, `OutputError` where the file
    cannot be written.
    """
    model = to_onnx(network)
    with atomic_write(path) as temporary:
        onnx.save(model, temporary)


def to_onnx(network: Network) -> onnx.ModelProto:
    """A network as an ONNX model; see `write_onnx`."""
    names = _value_names(network)
    sheet = OnnxGraphBuilder(network.name, {*names.values(), *network.outputs})
    for node in network.nodes:
        shapes = [network.shapes[value] for value in node.inputs]
        sheet.begin(node, shapes, network.shapes[node.name], names[node.name])
        inputs = [names[value] for value in node.inputs]
        OPERATORS[node.op](sheet, *inputs, **network.node_tensors(node), **node.attributes)
    for output, value in network.outputs.items():
        if output != names[value]:  # a second name for a value, or for the input itself
            sheet.nodes.append(helper.make_node("Identity", [names[value]], [output], name=output))
    graph = helper.make_graph(
        sheet.nodes,
        network.name,
        [helper.make_tensor_value_info(network.input, TensorProto.FLOAT, network.input_shape)],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, network.shapes[value])
            for output, value in network.outputs.items()
        ],
        sheet.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, metadata(network.preprocessing))
    return model


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


def _value_names(network: Network) -> dict[str, str]:
    """What each value is called in the file: as its node, but outputs as the user knows them."""
    names = {network.input: network.input}
    outputs = {value: output for output, value in reversed(network.outputs.items()) if value != network.input}
    taken = {network.input, *network.outputs}
    for node in network.nodes:
        names[node.name] = outputs[node.name] if node.name in outputs else unique(node.name, taken)
        taken.add(names[node.name])
    return names
