"""Networks whose outputs have the shapes of a detector's, for tests of how boxes are read."""

from collections.abc import Mapping

import torch

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
