"""A network exported for several frames is the network of one, or refused by the node that mixes them."""

import pytest
import torch
from torch import Tensor, nn

from videoquant.errors import NetworkError
from videoquant.network.capture import capture
from videoquant.network.graph import Network, Node
from videoquant.network.rebatch import one_frame

FRAMES = 4
X = torch.rand(FRAMES, 2, 4, 6)


def network(*nodes: Node, shape: tuple[int, ...] = (FRAMES, 2, 4, 6), **tensors: Tensor) -> Network:
    named = {name.replace("_", ".", 1): tensor for name, tensor in tensors.items()}
    return Network(nodes, "x", shape, {"y": nodes[-1].name}, named, name="net")


def node(name: str, op: str, *inputs: str, tensors: tuple[str, ...] = (), **attributes: object) -> Node:
    return Node(name, op, inputs, attributes, tensors)


ROWS = torch.arange(2.0).view(1, 2, 1, 1).repeat(FRAMES, 1, 1, 1)
SAME = X[:1].repeat(FRAMES, 1, 1, 1)
ALIKE = [
    network(node("y", "clamp", "x", min=0.2)),
    network(node("y", "mean", "x", dims=[2, 3], keepdim=False)),
    network(node("y", "permute", "x", dims=[0, 2, 3, 1])),
    network(node("y", "reshape", "x", shape=[0, 48])),
    network(node("a", "reshape", "x", shape=[8, 24]), node("y", "reshape", "a", shape=[4, 2, 24])),
    network(
        node("a", "reshape", "x", shape=[8, 4, 6]),
        node("s", "softmax", "a", dim=2),
        node("y", "reshape", "s", shape=[4, -1]),
    ),
    network(node("c", "constant", tensors=("value",)), node("y", "add", "x", "c"), c_value=ROWS),
    network(node("c", "constant", tensors=("value",)), node("y", "mul", "c", "x"), c_value=ROWS[0]),
    network(node("c", "constant", tensors=("value",)), node("y", "concat", "x", "c", dim=1), c_value=SAME),
    network(node("y", "slice", "x", dim=3, start=1, end=4)),
    network(node("y", "pad", "x", padding=[1, 1, 0, 0, 0, 0, 0, 0], mode="constant")),
]  # fmt: skip
MIXED = {
    "'y' (mean) reads": network(node("y", "mean", "x", dims=[0, 2, 3], keepdim=True)),
    "'y' (permute) reads": network(node("y", "permute", "x", dims=[1, 0, 2, 3])),
    "'y' (reshape) reads": network(node("y", "reshape", "x", shape=[1, 192])),
    "'y' (slice) reads": network(node("y", "slice", "x", dim=0, start=0, end=4)),
    "'y' (softmax) reads": network(node("y", "softmax", "x", dim=0)),
    "'y' (concat) reads": network(node("y", "concat", "x", "x", dim=0)),
    "whose values are not the same for every frame": network(
        node("c", "constant", tensors=("value",)), node("y", "add", "x", "c"), c_value=X
    ),
    "is not one for each frame": network(node("y", "reshape", "x", shape=[16, 12])),
    "fewer dimensions than it gives": network(
        node("c", "constant", tensors=("value",)), node("y", "add", "x", "c"), c_value=X[None]
    ),
}


@pytest.mark.parametrize("whole", ALIKE, ids=lambda network: network.nodes[-1].op)
def test_each_frame_gives_its_part_of_the_batch(whole: Network) -> None:
    one = one_frame(whole)
    assert one.input_shape == (1, 2, 4, 6)
    together = whole.run(X)["y"]
    for frame, expected in zip(X, together, strict=True):
        assert torch.equal(one.run(frame[None])["y"], expected[None])
    assert one.shapes[one.outputs["y"]] == (1, *together.shape[1:])
    if whole.nodes[-1].op != "concat":  # its constant has the rows of one frame
        assert torch.equal(one.run(X)["y"], together)


@pytest.mark.parametrize("message", MIXED)
def test_a_node_that_mixes_the_frames_is_named(message: str) -> None:
    with pytest.raises(NetworkError, match="it has a fixed batch of 4") as raised:
        one_frame(MIXED[message])
    assert message in str(raised.value)


def test_one_frame_stays_as_it_is() -> None:
    single = network(node("y", "clamp", "x", min=0.0), shape=(1, 2, 4, 6))
    assert one_frame(single) is single


def test_a_captured_batch_counts_for_one_frame() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 5)).eval()
    one, four = (capture(module, X[:count]) for count in (1, FRAMES))
    assert four.input_shape == (1, 2, 4, 6) and four.macs == one.macs
    torch.testing.assert_close(four(X), module(X))
