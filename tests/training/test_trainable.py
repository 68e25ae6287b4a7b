"""The network in training computes what is simulated and saved afterwards."""

import copy

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine import lower
from videoquant.errors import SchemeError
from videoquant.training.trainable import TrainableNetwork

SCHEMES = [
    "w8a8",
    "w4a4 per-tensor",
    "w4a4 asymmetric dynamic",
    "w8a8->w4a4 T=3",
    "w8a8->w8a4 T=3 recurrent",
    "w4a8->w4a4 T=3 float-reference",
    "w8a8->w4a4 T=3 adaptive tau=1",
    "w8a8->w4a4 T=3 qpp=2",
    "w8a8->w4a4 T=3 ds=5%",
    "w8a8->fp32 T=2",
    "w8a8->w3a4 T=2",  # whose residual frames take their own codes, and biases
]


def start(scheme, frames=24):
    return vq.quantize(small_network(), scheme, moving_frames(frames))


def clips_of(count, length, seed=3):
    frames = torch.cat(moving_frames(count * length, seed=seed))
    return frames.view(count, length, *frames.shape[1:]).contiguous()


def simulated(quantized, clips):
    """The outputs of streams, clip after clip and frame after frame."""
    outputs = []
    with torch.no_grad():
        for clip in clips:
            stream = quantized.stream()
            outputs += [stream.run(frame[None]) for frame in clip]
    return {name: torch.cat([o[name] for o in outputs]) for name in outputs[0]}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_computes_what_is_simulated(scheme):
    quantized = start(scheme)
    model, clips = TrainableNetwork(quantized), clips_of(2, quantized.scheme.period)
    expected = simulated(quantized, clips)
    # A convolution of values rounds where sums of codes do not, which may move a value across a code's edge.
    for name, y in model(clips).items():
        near = (y - expected[name]).abs() <= 1e-4 * expected[name].abs().max()
        assert near.float().mean() > 0.97, name
    again = simulated(model.quantized(), clips)
    assert all(torch.equal(again[name], expected[name]) for name in again)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_has_been_learnt_is_what_is_saved(scheme, tmp_path):
    quantized = start(scheme)
    model, clips = TrainableNetwork(quantized), clips_of(2, quantized.scheme.period)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        sum(y.square().mean() for y in model(clips).values()).backward()
        optimizer.step()
    learned = model.quantized()
    expected = simulated(learned, clips)
    for name, y in model(clips).items():
        near = (y - expected[name]).abs() <= 1e-4 * expected[name].abs().max()
        assert near.float().mean() > 0.97, name
    vq.save(learned, tmp_path / "learned.vq")
    again = simulated(vq.load_quantized(tmp_path / "learned.vq"), clips)
    assert all(torch.equal(again[name], expected[name]) for name in again)
    before = simulated(quantized, clips)
    assert not all(torch.equal(before[name], expected[name]) for name in again)


def test_gradients_reach_every_weight_bias_and_scale():
    model = TrainableNetwork(start("w8a8->w4a4 T=3 mse"))
    sum(y.square().mean() for y in model(clips_of(2, 3)).values()).backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    still = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.any()]
    assert not missing and not still
    # Of the two uses of a weight, each has its scale, except where they have the same bits.
    names = [name for name, _ in model.named_parameters() if name.startswith("changes")]
    assert any("block/project residual weights" in n for n in names)
    assert not any("stem residual weights" in n for n in names)  # the head keeps 8 bits in both


def test_the_engine_runs_what_was_trained():
    model = TrainableNetwork(start("w8a8->w4a4 T=3"))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    sum(y.square().mean() for y in model(clips_of(2, 3)).values()).backward()
    optimizer.step()
    learned = model.quantized()
    engine, stream = lower(learned).stream(), learned.stream()
    for frame in moving_frames(5, seed=8):
        theirs = stream.run(frame)
        for name, y in engine.run(frame).items():
            torch.testing.assert_close(torch.as_tensor(y), theirs[name], rtol=1e-4, atol=1e-5)


def test_a_copy_is_a_network_of_its_own():
    model = TrainableNetwork(start("w4a4"))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            if p.is_floating_point():
                p.add_(0.1)
    clips = clips_of(1, 1)
    assert not torch.equal(model(clips)["map"], other(clips)["map"])


def test_the_scale_that_went_wrong_is_named():
    model = TrainableNetwork(start("w8a8->w4a4 T=3"))
    name = next(n for n in model.changes if n.startswith("block/gate residual"))
    with torch.no_grad():
        model.changes["stem key weights"].add_(3)
        assert model.suspect() == "stem key weights"
        model.changes[name].fill_(float("nan"))
    assert model.suspect() == "block.gate residual weights"


def test_floating_point_is_no_scheme_to_train_at():
    with pytest.raises(SchemeError, match="nothing in it is quantized"):
        TrainableNetwork(start("fp32"))
