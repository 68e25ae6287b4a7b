"""What exporters write out as several operators is one node, with the same numbers."""

import math

import pytest
import torch
from torch import Tensor, nn

import videoquant as vq


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_turned(x: Tensor) -> Tensor:
    return 0.5 * (x * (torch.erf(x * math.sqrt(0.5)) + 1))


def gelu_halved(x: Tensor) -> Tensor:
    return x * ((torch.erf(x / math.sqrt(2)) + 1) / 2)


def layer_norm(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + 1e-5)


def group_norm(x: Tensor) -> Tensor:
    parts = torch.nn.functional.instance_norm(x.reshape(1, 2, -1), eps=1e-3)
    return parts.reshape(x.shape)


WRITTEN_OUT = {
    "silu": [lambda x: x * torch.sigmoid(x), lambda x: torch.sigmoid(x) * x],
    "hardswish": [
        lambda x: x * (x + 3).clamp(0, 6) / 6,
        lambda x: x * ((3 + x).clamp(0, 6) / 6),
        lambda x: x * (x + 3).clamp(0, 6) * (1 / 6),
        lambda x: x * torch.nn.functional.hardsigmoid(x),
    ],
    "mish": [lambda x: x * torch.nn.functional.softplus(x).tanh()],
    "gelu": [gelu, gelu_turned, gelu_halved],
    "layer_norm": [layer_norm],
    "group_norm": [group_norm],
}
OTHERS = {
    "another gate": lambda x: x * torch.sigmoid(x + 1),
    "another bound": lambda x: x * (x + 3).clamp(0, 5) / 6,
    "another scale": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) * 0.4,
    "another mean": lambda x: (x - x.mean(1, keepdim=True)) / torch.sqrt((x * x).mean(1, keepdim=True) + 1),
    "divided": lambda x: 6 / (x * (x + 3).clamp(0, 6) + 7),
}


class Wrapped(nn.Module):
    def __init__(self, function):  # type: ignore[no-untyped-def]
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("op", "function"), [(op, function) for op, functions in WRITTEN_OUT.items() for function in functions]
)
def test_it_is_one_node_with_the_same_numbers(op: str, function) -> None:  # type: ignore[no-untyped-def]
    x = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 3
    network = vq.capture(Wrapped(function), (x,))
    assert [node.op for node in network.nodes] == [op]
    torch.testing.assert_close(network.run(x)["output"], function(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_like_one_stays_as_it_is(name: str) -> None:
    x = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 3
    network = vq.capture(Wrapped(OTHERS[name]), (x,))
    assert not {node.op for node in network.nodes} & set(WRITTEN_OUT)
    torch.testing.assert_close(network.run(x)["output"], OTHERS[name](x))
