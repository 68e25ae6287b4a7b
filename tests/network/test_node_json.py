"""Nodes from JSON: every operator that capture or a reader gives comes back, and runs."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from tests.operators import ZOO, captured
from videoquant.errors import NetworkError
from videoquant.network.graph import Network
from videoquant.network.node_json import check_frame, read_nodes


def reread(network: Network) -> Network:
    """The network of the nodes that its JSON gives."""
    nodes = read_nodes(json.loads(json.dumps([asdict(node) for node in network.nodes])), "x.vq")
    of = (network.input, network.input_shape, network.outputs, network.tensors)
    return Network(nodes, *of, network.preprocessing)


@pytest.mark.parametrize("module", ZOO, ids=lambda module: module.__name__)
def test_every_operator_comes_back_and_runs(module):
    network = captured(module)
    again = reread(network)
    check_frame(again, "x.vq")
    x = torch.rand(network.input_shape)
    with torch.no_grad():
        for name, y in network.run(x).items():
            assert torch.equal(y, again.run(x)[name])


@pytest.mark.parametrize("dims", [0, 4, -1])
def test_a_normalization_over_dimensions_that_are_not_there_is_refused(dims):
    network = next(c for c in map(captured, ZOO) if any(n.op == "layer_norm" for n in c.nodes))
    rank = len(network.shapes[next(n for n in network.nodes if n.op == "layer_norm").inputs[0]])
    nodes = tuple(
        replace(node, attributes={**node.attributes, "dims": dims if dims < 4 else rank + 1})
        if node.op == "layer_norm"
        else node
        for node in network.nodes
    )
    of = (network.input, network.input_shape, network.outputs, network.tensors)
    with pytest.raises(NetworkError, match="layer_norm"):
        check_frame(Network(nodes, *of, network.preprocessing), "x.vq")
