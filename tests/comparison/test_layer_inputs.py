"""What is summed up of a layer's input, against values by hand, and through a comparison."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.comparison import LAYER_STEP
from videoquant.comparison.layer_inputs import LayerInput, input_seen
from videoquant.ranges.grid import Grid


def pictures(count):
    frames = [frame[0].permute(1, 2, 0).numpy() for frame in moving_frames(count)]
    return [(255 * (p - p.min()) / (p.max() - p.min())).astype("uint8") for p in frames]


def test_shares_are_means_over_frames():
    grid = Grid.symmetric(7.0, 4)  # steps of 1
    seen = [input_seen(torch.tensor([0.0, 0.5, 0.51, -3.0]), grid, residual=True)]
    seen.append(input_seen(torch.tensor([0.0, 0.1, 0.2, -0.5]), grid, residual=True))
    assert LayerInput.of(seen) == LayerInput(zero=0.75)
    seen.append(
        input_seen(torch.tensor([0.0, 1.0, 300.0, 400.0]), Grid.affine(0.0, 255.0, 8), residual=False)
    )
    seen.append(input_seen(torch.tensor([0.0, 1.0, 3.0, 4.0]), Grid.affine(-15.0, 240.0, 8), residual=False))
    held = LayerInput.of(seen)
    assert (held.low, held.high, held.clipped, held.zero) == pytest.approx((-15.0, 255.0, 0.25, 0.75))
    assert LayerInput.of([]) == LayerInput()


def test_residuals_of_a_still_scene_round_to_zero_more_often():
    network, moving = small_network(), pictures(2 * LAYER_STEP)
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", moving)
    still, other = (
        vq.compare(network, [quantized], frames).rows[0].layer_inputs
        for frames in ([moving[0]] * len(moving), moving)
    )
    assert list(still) == list(other) == list(quantized.points)
    assert all(held.low <= 0 < held.high for held in still.values())
    shares = [(a.zero, b.zero) for a, b in zip(still.values(), other.values(), strict=True)]
    assert all((a is None) is (b is None) for a, b in shares)
    known = [(a, b) for a, b in shares if a is not None and b is not None]
    assert known and all(a > b for a, b in known)
