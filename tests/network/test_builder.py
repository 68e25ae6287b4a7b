"""What the builder does for both readers: shapes, batch left open, Python's slices, nothing unneeded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import NetworkError
from videoquant.network.builder import Builder, OperatorContext, chunks


def site(shape: tuple[int, ...] = (2, 6, 4, 5)) -> OperatorContext:
    return OperatorContext(Builder("net", "x", shape), "node", "net.onnx: node 'a'")


@given(st.integers(-8, 8), st.integers(-8, 8), st.integers(1, 3), st.integers(-3, 3))
def test_slices_follow_python(start: int, end: int, step: int, dim: int) -> None:
    place = site()
    x = torch.rand(2, 6, 4, 5)
    value = place.slice(place.builder.input, dim, start, end, step)
    index = [slice(None)] * 4
    index[dim] = slice(start, end, step)
    expected = x[tuple(index)]
    assert value.shape == expected.shape
    network = place.builder.build({"y": value}, None)
    assert torch.equal(network.run(x)["y"], expected)


@given(st.integers(1, 30), st.integers(1, 12))
def test_chunks_are_those_of_pytorch(size: int, share: int) -> None:
    assert chunks(size, share) == [len(part) for part in torch.arange(size).split(share)]


def test_a_first_size_that_stays_is_the_batch() -> None:
    place = site()
    x = place.builder.input
    assert place.reshape(x, (2, 6, 4, 5)) is x
    place.reshape(x, (2, 120))
    place.reshape(x, (12, 20))
    assert [node.attributes["shape"] for node in place.builder.nodes.values()] == [[0, 120], [12, 20]]


def test_only_what_the_outputs_need_is_built() -> None:
    place = site()
    kept = place.emit("add", place.builder.input, place.value(1.0))
    place.emit("mul", kept, place.value(2.0))
    network = place.builder.build({"y": kept}, None)
    assert [node.name for node in network.nodes] == ["node.constant", "node"]
    assert set(network.tensors) == {"node.constant.value"}


def test_batch_norm_behind_a_linear_layer_is_folded_only_over_its_features() -> None:
    for shape, ops in [((5, 4), ["reshape", "linear"]), ((5, 4, 4), ["reshape", "linear", "affine"])]:
        place = site((5, 4, 1, 1) if len(shape) == 2 else (5, 4, 4, 1))
        x = place.reshape(place.builder.input, shape)
        y = place.convolve("linear", x, torch.eye(4), None)
        y = place.batch_norm(y, None, None, torch.rand(4), torch.ones(4), 1e-5)
        assert [node.op for node in place.builder.build({"y": y}, None).nodes] == ops


def test_shapes_that_do_not_fit_are_refused_where_they_stand() -> None:
    place = site()
    with pytest.raises(NetworkError, match=r"^net\.onnx: node 'a': Attempting to broadcast"):
        place.emit("add", place.builder.input, place.value(torch.ones(3)))
