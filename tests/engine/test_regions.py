"""With regions, engine and simulation agree in every output and every count of work, bit for bit."""

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.engine.drawn_regions import DrawnGate
from tests.engine.plan_interpreter import Interpreter
from tests.engine.random_networks import Builder
from tests.engine.region_bits import check, first_difference
from tests.networks import frame_codes_by_turns, moving_frames, small_network
from tests.operators import ZOO, captured
from videoquant import _native
from videoquant.axes import Regions
from videoquant.engine.lockstep import Lockstep
from videoquant.engine.lower import lower
from videoquant.errors import DataError, SchemeError
from videoquant.network.graph import Network
from videoquant.runtime.flow import stored_by
from videoquant.runtime.stream import Stream

pytestmark = pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")


@pytest.mark.parametrize("seed", range(24))
def test_drawn_networks(seed):
    """A short form of benchmarks/regions_equal_simulation.py."""
    case = check(seed)
    assert case.difference is None, str(case)


@pytest.mark.parametrize("seed", range(40, 52))
def test_drawn_networks_with_the_frames_own_codes_at_some_points(seed, monkeypatch):
    frame_codes_by_turns(monkeypatch)
    case = check(seed)
    assert case.difference is None, str(case)


@pytest.mark.parametrize("text", ["w8a8 regions block=8", "w8a8->w4a4 T=3 recurrent regions block=8 grow=1"])
@pytest.mark.parametrize("module", ZOO)
def test_every_operator(module, text):
    frames = moving_frames(28, 12)
    quantized = vq.quantize(captured(module), text, frames[:18])
    gate = DrawnGate(quantized.scheme.regions, (12, 12), 1)
    assert first_difference(quantized, frames[18:], gate, isas=_native.isas()[:1]) is None


def clip(count, size=(64, 64), seed=0):
    """Pictures that stand still but for a square that moves."""
    still = np.random.default_rng(seed).integers(0, 200, (*size, 3)).astype(np.uint8)
    for i in range(count):
        frame = still.copy()
        frame[8:20, i % 40 : i % 40 + 12] = 255 - frame[8:20, i % 40 : i % 40 + 12]
        yield frame


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "w8a8->w8a8 T=4 recurrent", "w8a8 ds=1%"])
def test_the_gate_itself(text):
    frames = list(clip(40))
    quantized = vq.quantize(small_network(64), f"{text} regions memory=3 margin=0 block=8", frames[:12])
    assert first_difference(quantized, frames[12:]) is None
    stream = lower(quantized).stream(threads=1)
    shares = [(stream.run(frame), stream.report.work_share)[1] for frame in frames[12:]]
    assert shares[0] == 1 and 0 < min(shares) < 0.9


def exact_network(size=(48, 64)):
    """Layers of every kind, a skip connection, a gate and a pool: all of it defined to the last bit."""
    build = Builder(0)
    y = build.conv("input", kernel=(3, 3), inputs=3, padding=[1, 1, 1, 1])
    for kind in ("relu", "skip", "max_pool", "depthwise", "gate", "branches", "transposed", "conv"):
        y = build.link(kind, y)
    return Network(build.nodes, "input", (1, 3, *size), {"y": build.conv(y, 4)}, build.tensors)


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "w4a4->w8a8 T=3 recurrent"])
def test_the_interpreter_agrees_in_every_slot(text):
    frames = list(clip(30, (48, 64)))
    quantized = vq.quantize(exact_network(), f"{text} regions block=8", frames[:12])
    plan = lower(quantized)
    twin, stream = Stream(plan, Interpreter(plan)), plan.stream(threads=1)
    for each in (twin, stream):
        each.input.gate = DrawnGate(quantized.scheme.regions, (48, 64), 3)
    compared = 0
    for frame in frames[12:]:
        outputs = twin.run(frame), stream.run(frame)
        assert torch.equal(outputs[1]["y"], outputs[0]["y"])
        if stream.region.moving or not stream.region.blocks.any():
            continue  # in other buffers, or left as it was
        program = plan.programs["key" if stream.is_key else "residual"]
        for slot in {slot for op in program.ops for slot in stored_by(op)}:
            got, wanted = (each._session.slot(slot) for each in (stream, twin))
            assert np.array_equal(got, wanted), plan.slots[slot]
            compared += 1
    assert compared > 50


def test_a_whole_frame_is_that_of_the_frame_scheme():
    frames = list(clip(24))
    network = small_network(64)
    plan = lower(vq.quantize(network, "w8a8", frames[:12]))
    for refresh in (1, 4):
        stream, dense = plan.stream(refresh=refresh, regions=Regions(margin=0, block=8)), plan.stream("frame")
        for i, frame in enumerate(frames[12:]):
            got, wanted = stream.run(frame), dense.run(frame)
            if i % refresh == 0:
                assert stream.report.work_share == 1
                assert all(torch.equal(got[name], y) for name, y in wanted.items())
            else:
                assert stream.report.work_share < 1


def test_after_a_full_refresh_a_stream_gives_what_a_fresh_one_gives():
    frames = list(clip(40))
    plan = lower(vq.quantize(small_network(64), "w8a8->w4a4 T=3 regions margin=0 block=8", frames[:12]))
    stream, fresh = plan.stream(), plan.stream()
    for frame in frames[12:26]:
        stream.run(frame)
    stream.reset()
    for frame in frames[26:]:
        got, wanted = stream.run(frame), fresh.run(frame)
        assert all(torch.equal(got[name], y) for name, y in wanted.items())
        assert stream.report.macs_done == fresh.report.macs_done


def unseen():
    """A plan whose gate sees nothing of the change between two pictures, whose turns come every 4 frames."""
    frames = list(clip(12))
    text = "w8a8 regions refresh=4 floor=255 margin=0 block=8"
    before, after = frames[0], frames[0].copy()
    after[10:50, 20:44] += np.uint8(40)
    return lower(vq.quantize(small_network(64), text, [*frames, after])), before, after


def is_fresh(plan, frame, outputs):
    wanted = plan.stream().run(frame)
    return all(torch.equal(outputs[name], y) for name, y in wanted.items())


def test_turns_bring_a_still_scene_to_what_a_fresh_stream_gives():
    """After a round of turns for every layer at most: a row is computed beside rows whose turn is to come."""
    plan, before, after = unseen()
    stream = plan.stream()
    for _ in range(5):
        assert is_fresh(plan, before, stream.run(before))
    layers = sum(macs > 0 for _, macs, _, _ in stream.layers())
    fresh = [is_fresh(plan, after, stream.run(after)) for _ in range(4 * layers + 20)]
    assert not any(fresh[:4]) and all(fresh[4 * layers :])


def test_a_refresh_of_the_stream_is_a_whole_frame_and_fresh_at_once():
    plan, before, after = unseen()
    stream = plan.stream(refresh=6)
    seen = []
    for frame in [before] * 3 + [after] * 10:
        outputs = stream.run(frame)
        seen.append((is_fresh(plan, frame, outputs), stream.work_share == 1))
    assert [whole for _, whole in seen] == [number % 6 == 0 for number in range(13)]
    assert [fresh for fresh, _ in seen[3:6]] == [False] * 3 and all(fresh for fresh, _ in seen[6:])


def test_the_memory_of_a_long_stream_is_flat():
    """A short form of benchmarks/regions_memory.py."""
    frames = list(clip(80))
    plan = lower(vq.quantize(small_network(64), "w8a8 regions block=8 margin=0", frames[:12]))
    stream, sizes = plan.stream(threads=1), []
    for number in range(2000):
        stream.run(frames[number % 80])
        sizes.append(stream.memory_bytes)
    assert stream.work_share < 1 and len(set(sizes[200:])) == 1


def test_a_refused_frame_leaves_the_stream_as_it_was():
    frames = list(clip(30))
    quantized = vq.quantize(small_network(64), "w8a8->w4a4 T=3 regions margin=0 block=8", frames[:12])
    plan = lower(quantized)
    for one, other in ((plan.stream(), plan.stream()), (quantized.stream(), quantized.stream())):
        for i, frame in enumerate(frames[12:]):
            if i % 3:
                bad = torch.full((1, 3, 64, 64), float("nan")) if i % 2 else np.zeros((64, 64), np.uint8)
                with pytest.raises(DataError):
                    one.run(bad)
            got, wanted = one.run(frame), other.run(frame)
            assert all(torch.equal(got[name], y) for name, y in wanted.items())


def test_floats_and_pictures_give_the_same():
    frames = list(clip(30))
    network = small_network(64)
    plan = lower(vq.quantize(network, "w8a8 regions memory=2 margin=0 block=8", frames[:12]))
    pictures, floats = plan.stream(), plan.stream()
    for frame in frames[12:]:
        got, wanted = floats.run(network.prepare(frame)), pictures.run(frame)
        assert all(torch.equal(got[name], y) for name, y in wanted.items())
        assert floats.report.macs_done == pictures.report.macs_done
    assert pictures.report.work_share < 1


def test_regions_of_a_scheme_and_of_a_stream():
    frames = list(clip(30))
    network = small_network(64)
    plain = lower(vq.quantize(network, "w8a8", frames[:12]))
    named = lower(vq.quantize(network, "w8a8 regions memory=2 margin=0 block=8", frames[:12]))
    one, other = plain.stream(regions=Regions(memory=2, margin=0, block=8)), named.stream()
    for frame in frames[12:]:
        got, wanted = one.run(frame), other.run(frame)
        assert all(torch.equal(got[name], y) for name, y in wanted.items())
        assert np.array_equal(one.changed, other.changed)
        assert one.changed.shape == (64, 64) and set(np.unique(one.changed)) <= {0, 1}


def test_modes_that_do_not_fit():
    frames = list(clip(20))
    network = small_network(64)
    with pytest.raises(SchemeError, match="has regions, and runs in mode regions only"):
        lower(vq.quantize(network, "w8a8 regions", frames[:12])).stream("exact")
    with pytest.raises(SchemeError, match="needs static ones"):
        lower(vq.quantize(network, "w8a8 dynamic", frames[:12])).stream("regions")
    with pytest.raises(SchemeError, match="takes no regions"):
        lower(vq.quantize(network, "w8a8", frames[:12])).stream("frame", regions=Regions())


def test_batches_of_a_simulation_are_streams_of_their_own():
    network = small_network(64)
    clips = [list(clip(24, seed=seed)) for seed in range(3)]
    quantized = vq.quantize(network, "w8a8->w4a4 T=3 regions memory=2 margin=0 block=8", clips[0][:12])
    together, apart = quantized.stream(), [quantized.stream() for _ in clips]
    for frames in zip(*(frames[12:] for frames in clips), strict=True):
        inputs = [network.prepare(frame) for frame in frames]
        outputs = together.run(torch.cat(inputs))
        for i, (stream, x) in enumerate(zip(apart, inputs, strict=True)):
            for name, y in stream.run(x).items():
                assert torch.equal(outputs[name][i : i + 1], y)


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "w8a8->w8a8 T=3 recurrent"])
def test_lockstep_finds_no_difference(text):
    frames = list(clip(30, (48, 64)))
    quantized = vq.quantize(exact_network(), f"{text} regions block=8", frames[:12])
    both = Lockstep(quantized, lower(quantized))
    gate = DrawnGate(quantized.scheme.regions, (48, 64), 5)
    both.simulation.gate = both.stream.input.gate = gate
    for frame in frames[12:]:
        found = both.run(frame)
        assert not found.differences
        assert torch.equal(found.outputs["y"], found.engine_outputs["y"])
