"""Fusion: elementwise nodes run in the program of the operator before them, wherever that is possible."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames
from videoquant.engine.lower import lower
from videoquant.runtime.plan_spec import plain
from videoquant.runtime.stream import Stream


def key_program(module, text="w8a8"):
    network = vq.capture(module.eval(), (torch.randn(1, 3, 12, 12),))
    return lower(vq.quantize(network, text, moving_frames(6, 12))).programs["key"].ops


def steps(op):
    return [step["do"] for step in plain(op.steps)]


class Residual(nn.Module):
    """conv → relu → conv, added to the first convolution's own value, which the relu must not hide."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        y = self.first(x)
        return self.last(torch.sigmoid(y + self.second(F.relu(y))) * 2)


def test_a_value_that_others_need_is_stored_midway_and_the_program_goes_on():
    image, first, second, last = key_program(Residual())
    assert (image.kind, first.kind, second.kind, last.kind) == ("map", "conv", "conv", "conv")
    assert steps(image) == ["store_codes"]
    assert steps(first) == ["store", "clamp", "store_codes"]
    assert steps(second) == ["add", "sigmoid", "mul", "store_codes"]
    assert steps(last) == ["store"]


class Gate(nn.Module):
    """Squeeze and excite: the gate is computed last, but it is the smaller of the two."""

    def __init__(self):
        super().__init__()
        self.first, self.gate, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        y = F.relu(self.first(x))
        return self.last(y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True))))


def test_a_product_with_a_smaller_value_is_a_map_over_the_larger():
    kinds = [op.kind for op in key_program(Gate())]
    assert kinds == ["map", "conv", "global_pool", "conv", "map", "conv"]


class Gated(nn.Module):
    """x · tanh(x), which no pattern makes one node."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        y = self.conv(x)
        return y * torch.tanh(y)


def test_a_program_may_read_what_it_has_stored_itself():
    _, conv = key_program(Gated())
    assert steps(conv) == ["store", "tanh", "mul", "store"]


def test_the_input_is_quantized_as_it_is_and_read_where_it_lies():
    image, *_ = key_program(nn.Conv2d(3, 4, 1))
    assert image.kind == "map" and image.inputs == (0,) and steps(image) == ["store_codes"]
    conv, *rest = key_program(nn.Conv2d(3, 4, 1), "fp32")
    assert conv.kind == "fconv" and conv.inputs == (0,) and not rest


class Predicted(nn.Module):
    """A first activation that is larger than the sample that features are taken of."""

    def __init__(self, skip):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 4, 1)
        self.third, self.skip = nn.Conv2d(4, 4, 1), skip

    def forward(self, x):
        y = self.first(x)
        y = F.relu(y + x.amax((2, 3), keepdim=True)[:, :1] if self.skip else y)
        return self.third(self.second(y))


@pytest.mark.parametrize("skip", [False, True])
def test_features_are_taken_of_a_sample_where_a_convolution_can_give_one(skip):
    torch.manual_seed(0)
    network = vq.capture(Predicted(skip).eval(), (torch.randn(1, 3, 80, 90),))
    frames = moving_frames(9, 90)
    frames = [frame[:, :, :80].contiguous() for frame in frames]
    quantized = vq.quantize(network, "w8a8 qpp=5 at=first-relu", frames)
    plan = lower(quantized)
    (update,) = plan.programs["key"].updates
    slot = plan.slots[update.slot]
    if skip:
        assert (slot.h, slot.w, slot.c) == (80, 90, 32) and update.steps == (8, 7, 1)
    else:
        assert (slot.h, slot.w, slot.c) == (10, 13, 32) and update.steps == (1, 1, 1)
        assert [op.kind for op in plan.programs["key"].ops] == ["map", "conv", "conv", "conv", "conv"]
    a, b = Stream(plan, Interpreter(plan)).run(frames[0]), quantized.stream().run(frames[0])
    assert all(torch.allclose(a[name], b[name], atol=1e-2 * float(b[name].abs().max())) for name in b)


# Random graphs: each number picks an operator and what it reads among the values so far.
class RandomGraph(nn.Module):
    def __init__(self, choices):
        super().__init__()
        self.choices = choices
        self.layers = nn.ModuleList(nn.Conv2d(3 if i == 0 else 4, 4, 1) for i in range(len(choices) + 1))

    def forward(self, x):
        values = [self.layers[0](x)]
        for layer, (kind, first, second) in zip(self.layers[1:], self.choices, strict=True):
            a, b = values[first % len(values)], values[second % len(values)]
            match kind:
                case "conv":
                    values.append(layer(a))
                case "relu":
                    values.append(F.relu(a))
                case "add":
                    values.append(a + b)
                case "sub":
                    values.append(a - torch.sigmoid(b))
                case "gate":
                    values.append(a * torch.sigmoid(b.mean((2, 3), keepdim=True)))
                case "pool":
                    values.append(F.max_pool2d(a, 3, 1, 1))
        return {"last": values[-1], "middle": values[len(values) // 2]}


KINDS = st.sampled_from(["conv", "relu", "add", "sub", "gate", "pool"])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(KINDS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9),
    st.sampled_from(["w8a8", "w8a8->w4a4 T=2", "w8a8 dynamic minmax"]),
)
def test_random_graphs_are_what_the_simulation_makes_of_them(choices, text):
    torch.manual_seed(0)
    network = vq.capture(RandomGraph(choices).eval(), (torch.randn(1, 3, 6, 6),))
    frames = moving_frames(6, 6)
    forced = Agreement(vq.quantize(network, text, frames[:4]), forced=True)
    for frame in frames[4:]:
        forced.run(frame)
    forced.check(share=0.01, error=1e-5)
