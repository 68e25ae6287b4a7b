"""Captured modules compute what the module does, under the names its author gave.

Long because each operator of PyTorch that is understood has its case.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from videoquant.errors import NetworkError
from videoquant.network.capture import OPERATORS, capture


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        share = F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)), inplace=True)
        return x * F.hardsigmoid(self.expand(share))


class Small(nn.Module):
    """Batch norm, residual, SE, in-place operators (through a view too), resizing, chunk and cat, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(True))
        self.se = SqueezeExcite(8)
        self.norm = nn.BatchNorm2d(8)
        self.head_weight = nn.Parameter(torch.randn(5, 8))
        self.register_buffer("mean", torch.rand(1, 3, 1, 1))

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.stem(x - self.mean)
        y = self.se(x)
        y += x
        y[:, :2].mul_(2)
        a, b = self.norm(y).chunk(2, 1)
        y = F.interpolate(torch.cat([b, a], 1), scale_factor=2, mode="bilinear")
        logits = F.linear(torch.flatten(y.mean((2, 3)), 1), self.head_weight)
        return {"mask": y, "logits": logits, "features": (x, b)}


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    module = Small()
    for norm in (module.stem[1], module.norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    return module


def test_a_network_computes_what_the_module_does(small: Small) -> None:
    network = capture(small, torch.rand(1, 3, 17, 15))
    x = torch.rand(1, 3, 17, 15)
    expected = small.eval()(x)
    outputs = network.run(x)
    assert list(outputs) == ["mask", "logits", "features.0", "features.1"]
    flat = [expected["mask"], expected["logits"], *expected["features"]]
    for output, wanted in zip(outputs.values(), flat, strict=True):
        torch.testing.assert_close(output, wanted.detach(), rtol=1e-4, atol=1e-5)
    assert network.input_shape == (1, 3, 17, 15)
    assert network.name == "Small"


def test_names_are_the_authors(small: Small) -> None:
    network = capture(small, torch.rand(1, 3, 17, 15), name="net")
    assert [node.name for node in network.layers] == ["stem.0", "se.reduce", "se.expand", "head"]
    names = [node.name for node in network.nodes]
    assert {"stem.2", "se.adaptive_avg_pool2d", "se.relu", "se.hardsigmoid", "se.mul", "add", "norm"} <= set(
        names
    )
    by_name = {node.name: node for node in network.nodes}
    assert by_name["norm"].op == "affine"  # what it reads is no layer
    assert by_name["stem.2"].inputs == ("stem.0",)  # whose batch norm is folded into it
    assert by_name["stem.2"].attributes == {"min": 0.0}
    assert network.name == "net"


def test_the_module_keeps_its_mode_and_the_network_its_weights(small: Small) -> None:
    small.train()
    small.norm.eval()
    network = capture(small, torch.rand(1, 3, 17, 15))
    assert small.training and small.stem.training and not small.norm.training
    x = torch.rand(1, 3, 17, 15)
    before = network.run(x)["mask"]
    with torch.no_grad():
        for tensor in (*small.parameters(), *small.buffers()):
            tensor.zero_()
    assert torch.equal(network.run(x)["mask"], before)
    assert not any(tensor.requires_grad for tensor in network.tensors.values())


def test_a_layer_called_twice_stands_twice() -> None:
    layer = nn.Conv2d(4, 4, 1)
    module = Call(lambda x: layer(layer(x)))
    module.layer = layer
    network = capture(module, torch.rand(1, 4, 3, 3))
    assert [node.name for node in network.nodes] == ["layer", "layer_2"]
    assert torch.equal(network.tensors["layer.weight"], network.tensors["layer_2.weight"])


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


ROWS = torch.tensor([0, 3, 5, 2])
KERNEL, WEIGHT, MATRIX = torch.randn(6, 2, 3, 3), torch.randn(4, 3, 3, 3), torch.randn(7, 5)
aten = torch.ops.aten

FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    "conv2d": lambda x: F.conv2d(x, KERNEL, torch.ones(6), stride=(2, 1), padding=1, groups=2),
    "conv2d same": lambda x: F.conv2d(x, torch.ones(2, 4, 4, 3), padding="same", dilation=(1, 2)),
    "conv2d valid": lambda x: F.conv2d(x, torch.ones(2, 4, 4, 3), padding="valid"),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, WEIGHT, None, 2, 1, 1),
    "convolution": lambda x: aten.convolution(x, WEIGHT, None, [2, 2], [1, 0], [1, 1], True, [0, 1], 1),
    "matmul": lambda x: x @ MATRIX,
    "addmm": lambda x: torch.addmm(torch.ones(5), x.reshape(-1, 7), MATRIX, beta=2.0, alpha=0.5),
    "mm": lambda x: torch.mm(x.reshape(-1, 7), MATRIX),
    "batch_norm": lambda x: F.batch_norm(x, torch.ones(4), torch.arange(1.0, 5.0)),
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "clamp": lambda x: x.clamp(-0.5, 0.7),
    "clamp_min": lambda x: x.clamp_min(0.1),
    "clamp_max": lambda x: x.clamp_max(0.1),
    "computed indices": lambda x: x[:, :, x.mean((0, 1, 3)).argsort()],
    "two computed indices": lambda x: x[:, x.mean((0, 2, 3)).argsort(), x[0, 0, :4, 0].argsort()],
    "clamp to values": lambda x: x.clamp(x.mean(), max=torch.arange(7.0)),
    "leaky_relu": lambda x: F.leaky_relu_(x * 2, 0.2),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3, 0.4])),
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 0.5),
    "softmax": lambda x: F.softmax(x, -3),
    "add": lambda x: torch.add(torch.add(x, x, alpha=2), torch.ones(4, 1, 1), alpha=3),
    "sub": lambda x: torch.sub(x, x.mean(), alpha=0.5) - 1,
    "rsub": lambda x: torch.rsub(x, 1.5) + (2 - x),
    "mul": lambda x: 3 * x.mul_(0.5),
    "div": lambda x: x / (x / 2 + 9),
    "reciprocal": lambda x: 1 / (x + 9),
    "neg": lambda x: -x,
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max_pool2d_with_indices": lambda x: aten.max_pool2d_with_indices(x, [2, 3])[0],
    "avg_pool2d": lambda x: F.avg_pool2d(x, (3, 2), padding=1, count_include_pad=False),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 1),
    "mean": lambda x: x.mean((-1, 2), keepdim=True) + x.mean(),
    "amax": lambda x: x.amax((2, 3)),
    "upsample_nearest2d": lambda x: F.interpolate(x, scale_factor=1.7) * aten.upsample_nearest2d(x, [10, 11]),
    "nearest to a size": lambda x: F.interpolate(x, (9, 5)),
    "upsample_bilinear2d": lambda x: F.interpolate(x, scale_factor=(1.7, 2), mode="bilinear"),
    "bilinear, corners": lambda x: F.interpolate(x, (9, 5), mode="bilinear", align_corners=True),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "cat": lambda x: torch.cat([x, torch.ones(1, 4, 6, 2)], -1),
    "split": lambda x: x.split(3, 1)[1],
    "split_with_sizes": lambda x: x.split([1, 2, 1], 1)[1],
    "chunk": lambda x: x.chunk(4, -1)[-1],
    "unbind": lambda x: x.unbind(1)[2],
    "slice": lambda x: x[:, 1:-1, ::2, -3:],
    "narrow": lambda x: x.narrow(3, 1, 4),
    "select": lambda x: x[..., -2],
    "slice_scatter and copy": lambda x: torch.slice_scatter(x, x[:, :2] * 2, 1, 1, 3),
    "assignment": lambda x: assign(x * 1),
    "pad": lambda x: F.pad(F.pad(x, (1, 0, 2, 1), value=2.0), (0, 0, 0, 0, 1, 0)),
    "reflection_pad2d": lambda x: F.pad(x, (1, 0, 2, 1), mode="reflect"),
    "replication_pad2d": lambda x: nn.ReplicationPad2d(2)(x),
    "constant_pad_nd": lambda x: aten.constant_pad_nd(x, [1, 1], 3.0),
    "permute": lambda x: x.permute(0, 2, 3, -3),
    "transpose": lambda x: x.transpose(-1, 1),
    "t": lambda x: x.mean((2, 3)).t(),
    "view": lambda x: x.view(1, 2, -1, 7),
    "reshape": lambda x: x.transpose(1, 2).reshape(3, -1),
    "flatten": lambda x: x.flatten(2),
    "unflatten": lambda x: x.unflatten(1, (2, -1)),
    "squeeze": lambda x: x.mean((2, 3), keepdim=True).squeeze(-1).squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(-1).unsqueeze(1),
    "dropout": lambda x: F.dropout2d(F.dropout(x, 0.5, False), 0.5, False) + 1,
    "stack": lambda x: torch.stack([x, x * 2], -1),
    "roll": lambda x: torch.roll(torch.roll(x, (1, -2), (2, -1)), 3),
    "flip": lambda x: x.flip(-1, 1),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "index": lambda x: x[:, [2, -1, 0, 1]] + x[:, :, ROWS[:, None], ROWS[:3]].mean((2, 3), keepdim=True),
    "max": lambda x: x.max(1, keepdim=True)[0] + x.max() + torch.max(x, x * 2),
    "where the largest is": lambda x: x.max(2)[1] + 0.0,
    "min": lambda x: x.min(-1)[0] + x.min() - torch.min(x, x * 2).mean(3),
    "argmin": lambda x: x.argmin(1, keepdim=True) + x,
    "sort": lambda x: x.sort(2, descending=True)[0] + x.sort()[0],
    "like": lambda x: x + torch.zeros_like(x) + torch.full_like(x, 3) + x.new_ones(7) + x.new_full((6, 1), 2),
    "adaptive_max_pool2d of parts": lambda x: F.adaptive_max_pool2d(x, (4, 3)),
    "circular": lambda x: F.pad(x, (1, 0, 2, 1), mode="circular"),
    "var": lambda x: x.var((2, 3), keepdim=True) + x.var() + x.var(1, unbiased=False).mean(),
    "std": lambda x: x.std(1) + torch.std_mean(x, (2, 3))[0].mean() + torch.var_mean(x)[1],
    "logsumexp": lambda x: (100 * x).logsumexp(1) + x.logsumexp((1, 3), keepdim=True),
    "cumsum": lambda x: x.cumsum(1) + x.cumsum(-1),
    "nan_to_num": lambda x: torch.nan_to_num(x / x.relu(), 0.5, 2.0, -3.0),
    "celu": lambda x: F.celu(x, 0.7) + F.selu(x) + F.elu(x),
    "logarithms": lambda x: torch.log1p(x.abs()) + torch.log2(x.abs() + 1) + torch.log10(x.abs() + 1),
    "powers": lambda x: torch.expm1(x) + torch.exp2(x) + torch.tan(x / 4) + F.logsigmoid(x),
    "remainder": lambda x: x % 0.3 + torch.fmod(x, 0.7) + x // 0.4 + torch.div(x, 0.3, rounding_mode="trunc"),
    "lerp": lambda x: torch.lerp(x, x.flip(1), 0.3) + torch.addcmul(x, x, x, value=0.5),
    "truth": lambda x: x * ((x > 0) & (x < 1) | ~(x != x.amax())) + x.isnan() * 2 + x.masked_fill(x > 1, 3.0),
    "integers": lambda x: (x * 3).int() + (x * 5).long() / 2 + x.bool(),
    "conv_transpose1d": lambda x: F.conv_transpose1d(x[:, :, 0], torch.ones(4, 3, 2), stride=2, padding=1),
    # What PyTorch writes with others.
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x * 2) @ torch.einsum("bchw->bch", x),
    "normalize": lambda x: F.normalize(x, dim=1) + F.cosine_similarity(x, x * x, dim=1).unsqueeze(1),
    "log_softmax": lambda x: F.log_softmax(x, 1) + F.softmin(x, 1) + F.glu(x, 1).mean(),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2) + nn.ChannelShuffle(4)(x),
    "unfold": lambda x: F.unfold(x, 3, padding=1, stride=2),
    "nearest-exact": lambda x: F.interpolate(x, (9, 5), mode="nearest-exact"),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1) + x.tile(1, 2, 1, 1),
    "rms_norm": lambda x: F.rms_norm(x, (7,)) + x.tril() + x.triu(1),
    "pools of rows": lambda x: F.max_pool1d(x.flatten(2), 2) + F.avg_pool1d(x.flatten(2), 2),
    "no-ops": lambda x: x.clone().contiguous().detach().to(torch.float32) + 1,
}


def assign(x: Tensor) -> Tensor:
    x[:, 1:3] = x[:, :2] + 1
    return x


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_compute_what_pytorch_does(name: str) -> None:
    torch.manual_seed(0)
    function, x = FUNCTIONS[name], torch.randn(1, 4, 6, 7)
    network = capture(Call(function), torch.randn(1, 4, 6, 7))
    result, expected = network.run(x)["output"], function(x.clone())
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert network.shapes[network.outputs["output"]] == tuple(expected.shape)


def test_outputs_of_tuples_are_numbered() -> None:
    network = capture(Call(lambda x: (x + 1, [x + 2, None])), torch.rand(1, 3, 2, 2))
    assert network.outputs == {"output_0": "add", "output_1.0": "add_2"}


def test_a_reshape_leaves_the_batch_open() -> None:
    network = capture(Call(lambda x: x.view(x.shape[0], -1)), torch.rand(1, 3, 2, 2))
    assert network.nodes[0].attributes == {"shape": [0, 12]}
    assert network(torch.rand(5, 3, 2, 2)).shape == (5, 12)


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x * self.count


def branch(x: Tensor) -> Tensor:
    return x + 1 if x.sum() > 0 else x


REFUSED: dict[str, nn.Module] = {
    "operator cumprod at 'cumprod' (node 'cumprod', ": Call(lambda x: x.cumprod(1)),
    "supported are abs, adaptive_avg_pool2d, ": Call(lambda x: x.cumprod(1)),
    "torch.export cannot capture it: ": Call(branch),
    "output 'output_1' is not computed from the input": Call(lambda x: (x * 2, torch.ones(2))),
    "changes its buffer 'count' as it runs": Counter(),
    "operator rand at 'rand'": Call(lambda x: x + torch.rand(3, 4, 4)),
    "side by side": Call(lambda x: x[:, torch.tensor([0, 1]), :, torch.tensor([1, 2])]),
    "an index is outside the dimensions [3]": Call(lambda x: aten.index(x, [None, torch.tensor([3])])),
    "a mask selects elements": Call(lambda x: x[:, x.mean((0, 2, 3)) > 0]),
    "divisor_override is not supported": Call(lambda x: F.avg_pool2d(x, 2, divisor_override=3)),
    "circular padding of -1 and 0": Call(lambda x: aten.pad(x, [-1, 0, 0, 0], "circular")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_captured_is_refused_in_one_line(message: str) -> None:
    with pytest.raises(NetworkError) as raised:
        capture(REFUSED[message], torch.rand(1, 3, 4, 4), name="net")
    assert message in str(raised.value)
    assert str(raised.value).startswith("net: ")
    assert "\n" not in str(raised.value)


def test_several_inputs_are_refused() -> None:
    with pytest.raises(
        NetworkError, match="a network has one input, the image, as a tensor; got Tensor, Tensor"
    ):
        capture(nn.Bilinear(2, 2, 2), (torch.rand(1, 2), torch.rand(1, 2)))


def test_operators_are_known_by_names_that_pytorch_has() -> None:
    assert [name for name in OPERATORS if not hasattr(torch.ops.aten, name)] == []


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        (lambda x: [{"a": x * 2}, (x * 3, None)], ["output_0.a", "output_1.0"]),
        (lambda x: {"a": {"b": x * 2}, "a.b": x * 3}, ["a.b", "a.b_2"]),
        (lambda x: {"sum": (x * 2).mean((0, 1, 2, 3)), 3: x * 3}, ["sum", "3"]),
    ],
)
def test_outputs_of_every_shape_have_names(returned: Callable[[Tensor], Any], names: list[str]) -> None:
    x = torch.rand(1, 3, 4, 4)
    outputs = capture(Call(returned), x).run(x)
    assert list(outputs) == names
    wanted = [leaf for leaf in pytree.tree_leaves(returned(x)) if leaf is not None]
    for output, value in zip(outputs.values(), wanted, strict=True):
        torch.testing.assert_close(output, value)


@dataclass
class Detections:
    boxes: Tensor


@pytest.mark.parametrize(
    "returned", [lambda x: Detections(x), lambda x: torch.ones(1), lambda x: (x * 2, 5), lambda x: None]
)
def test_outputs_that_are_none_are_refused_in_one_line(returned: Callable[[Tensor], Any]) -> None:
    with pytest.raises(NetworkError) as caught:
        capture(Call(returned), torch.rand(1, 3, 4, 4))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.rand(3, 8, 8), "must be floating-point numbers N×C×H×W; got torch.float32 of shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "got torch.uint8 of shape"),
        (torch.rand(1, 3, 0, 8), "must be floating-point numbers N×C×H×W"),
        ((torch.rand(1, 3, 8, 8),) * 2, "one input, the image, as a tensor; got Tensor, Tensor"),
        ({"x": torch.rand(1, 3, 8, 8)}, "got str"),
        ((), "got nothing"),
    ],
)
def test_example_inputs_are_checked_first(given: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        capture(nn.Conv2d(3, 4, 1), given)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(NetworkError, match="captured are modules"):
        capture(torch.relu, torch.rand(1, 3, 8, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_a_module_of_another_precision_is_captured_in_float32(dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()).to(dtype)
    x = torch.rand(1, 3, 4, 4)
    outputs = capture(module, x).run(x)
    torch.testing.assert_close(outputs["output"], module.float()(x).detach(), rtol=1e-3, atol=1e-3)


def test_a_refusal_prints_and_logs_nothing_but_its_line(capfd: Any, caplog: Any) -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            warnings.warn("of the module", stacklevel=2)
            return x * 2 if bool(x.sum() > 0) else x

    with warnings.catch_warnings(), pytest.raises(NetworkError, match="cannot capture it"):
        warnings.simplefilter("error")
        capture(Branches(), torch.rand(1, 3, 4, 4))
    said = capfd.readouterr()
    assert said.out == said.err == "" and not caplog.records


def test_the_module_and_the_random_numbers_are_as_they_were(small: Small) -> None:
    small.train()
    seen: list[int] = []
    small.stem.register_forward_hook(lambda *_: seen.append(1))
    nn.utils.parametrizations.weight_norm(small.se.reduce)
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    hooks, state = dict(small.stem._forward_hooks), torch.get_rng_state()
    capture(small, torch.rand(1, 3, 17, 15, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    assert small.stem._forward_hooks == hooks and small.training
    after = small.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(isinstance(p, nn.Parameter) and p.grad is None for p in small.parameters())
