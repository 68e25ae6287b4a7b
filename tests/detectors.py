"""Networks whose outputs have the shapes of a detector's, for tests of how boxes are read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import Preprocessing


def detector(
    shapes: Mapping[str, tuple[int, ...]],
    size: tuple[int, int] = (64, 64),
    last: Mapping[str, str] | None = None,
    **said: str,
) -> Network:
    """A network with outputs of these shapes, N included.

    last: by output, the operator that it comes from. said: of the boxes, as metadata says it.
    """
    nodes, tensors, outputs = [], {}, {}
    for name, shape in shapes.items():
        tensors[f"{name}.value"] = torch.zeros(shape)
        nodes.append(Node(name, "constant", tensors=("value",)))
        outputs[name] = name
        if last and name in last:
            attributes = {"softmax": {"dim": -1}, "leaky_relu": {"slope": 0.1}}.get(last[name], {})
            inputs = (name, name) if last[name] == "mul" else (name,)
            outputs[name] = f"{name}_{last[name]}"
            nodes.append(Node(outputs[name], last[name], inputs, attributes))
    preprocessing = Preprocessing(task="detection").with_text(said)
    return Network(nodes, "image", (1, 3, *size), outputs, tensors, preprocessing)


def bright_spots(path: Path, **metadata: str) -> Path:
    """Writes a CenterFace that finds what is bright: 1×3×64×64, boxes of 24×24 pixels of the input."""
    weights = {
        "stem.weight": np.full((4, 3, 4, 4), 1 / 48),
        "heat.weight": np.full((1, 4, 1, 1), 10 / 4),
        "heat.bias": np.full(1, -5.5),
        "scale.weight": np.zeros((2, 4, 1, 1)),
        "scale.bias": np.full(2, np.log(6)),
        "offset.weight": np.full((2, 4, 1, 1), 0.01),
    }
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight"], ["a"], strides=[4, 4]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "heat.weight", "heat.bias"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["heat"]),
        helper.make_node("Conv", ["b", "scale.weight", "scale.bias"], ["scale"]),
        helper.make_node("Conv", ["b", "offset.weight"], ["offset"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 16, 16])
        for name, channels in (("heat", 1), ("scale", 2), ("offset", 2))
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])
    tensors = [onnx.numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "spots", [image], outputs, tensors),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
