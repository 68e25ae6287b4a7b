"""Networks with states in the engine: the simulation to the last bit, in every mode, with seeks."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames
from tests.stateful import stateful_network
from videoquant.data.video import Frame
from videoquant.engine.lower import lower
from videoquant.errors import NetworkError, SchemeError
from videoquant.runtime.flow import states_of
from videoquant.runtime.session import open_session
from videoquant.runtime.stream import Stream

SCHEMES = ["w8a8", "w4a4", "w8a8->w4a4 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8 dynamic", "fp32", "w8a8 ds=5%"]


@pytest.fixture(scope="module")
def network():
    return stateful_network()


@pytest.fixture(scope="module")
def inputs():
    return moving_frames(30)


@pytest.mark.parametrize("text", SCHEMES)
def test_every_scheme_is_what_the_simulation_makes_of_it(network, inputs, text):
    quantized = vq.quantize(network, text, inputs)
    agreement = Agreement(quantized, forced=True)
    for x in inputs[:7]:
        agreement.run(x)
    agreement.check()
    assert agreement.compared["values"] > 0


@pytest.mark.parametrize("text", ["w8a8", "w4a4", "w8a8->w4a4 T=3"])
@pytest.mark.parametrize("isa", ["", "reference"])
def test_the_engine_is_the_simulation_to_the_last_bit(network, inputs, text, isa):
    quantized = vq.quantize(network, text, inputs)
    plan = lower(quantized)
    assert sorted(plan.slots[i].name for i in states_of(plan)) == ["before", "h", "last"]
    still = [x for x in inputs[:6] for _ in range(3)]  # frames in which nothing changes, too
    frames = [Frame((x[0].permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy(), i) for i, x in enumerate(still)]
    frames[12:] = [Frame(frame.pixels, frame.index + 5) for frame in frames[12:]]  # a seek
    simulation = quantized.stream()
    wanted = [simulation.run(frame)["output"] for frame in frames]
    for mode in ("frame",) if "T=" in text else ("frame", "exact"):
        stream = Stream(plan, open_session(plan, mode, threads=1, isa=isa))
        if mode == "exact":
            stream.always_follow()
        for frame, y in zip(frames, wanted, strict=True):
            assert torch.equal(stream.run(frame)["output"], y), (mode, frame.index)


def test_states_go_from_one_memory_to_the_other(network, inputs):
    """Full frames run in a memory of their own, followed ones in another."""
    plan = lower(vq.quantize(network, "w8a8", inputs))
    exact, frame = plan.stream("exact", 1), plan.stream("frame", 1)
    for i, x in enumerate([*inputs[:4], *[inputs[4]] * 4, *inputs[5:9]]):
        if i == 2:
            exact.always_follow()
        assert torch.equal(exact(x), frame(x)), i


def test_a_plan_is_read_from_its_file_with_its_states(network, inputs, tmp_path):
    plan = lower(vq.quantize(network, "w8a8", inputs))
    plan.save(tmp_path / "state.plan")
    read = vq.load_plan(tmp_path / "state.plan")
    a, b = plan.stream(), read.stream()
    for x in inputs[:4]:
        assert torch.equal(a(x), b(x))
    a.reset()
    assert torch.equal(a(inputs[0]), read.stream()(inputs[0]))


def test_a_frame_computed_in_full_is_no_new_video(network, inputs):
    plan = lower(vq.quantize(network, "w8a8", inputs))
    usual, refreshed = plan.stream("exact", 1), vq.open_stream(plan, "exact", 1, refresh=2)
    for x in inputs[:6]:
        assert torch.equal(usual(x), refreshed(x))


class Odd(nn.Module):
    """A state whose next value the engine's programs do not compute."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 3, 1)
        self.register_buffer("h", torch.zeros(1, 3, 8, 8))

    def forward(self, x):
        y = self.conv(torch.cat([x, self.h], 1))
        self.h.copy_(y.half().float())
        return y


def test_regions_and_what_cannot_be_kept_are_refused(network, inputs):
    quantized = vq.quantize(network, "w8a8", inputs)
    with pytest.raises(SchemeError, match="mode=regions: stateful has states, which regions do not hold"):
        lower(quantized).stream("regions")
    with pytest.raises(SchemeError, match=r"stateful has states \(h, .*\), which regions do not"):
        vq.quantize(stateful_network(64), "w8a8 regions", moving_frames(9, 64)).stream()
    odd = vq.capture(Odd().eval(), torch.rand(1, 3, 8, 8), name="odd")
    with pytest.raises(NetworkError, match="odd: state 'h' becomes 'to_copy', which the engine's programs"):
        lower(vq.quantize(odd, "w8a8", moving_frames(9, 8)))


def test_the_interpreter_finds_states_at_zero(network, inputs):
    plan = lower(vq.quantize(network, "w8a8", inputs))
    twin, native = Stream(plan, Interpreter(plan)), plan.stream("frame", 1)
    for x in [*inputs[:3], *inputs[:3]]:
        assert torch.equal(twin(x), native(x))
