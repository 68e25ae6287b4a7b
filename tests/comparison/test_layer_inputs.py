"""What is summed up of a layer's input, against values by hand, and through a comparison."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.comparison import LAYER_STEP
from videoquant.comparison.layer_inputs import LayerInput
from videoquant.ranges.grid import Grid


def pictures(count):
    frames = [frame[0].permute(1, 2, 0).numpy() for frame in moving_frames(count)]
    return [(255 * (p - p.min()) / (p.max() - p.min())).astype("uint8") for p in frames]


def test_shares_are_means_over_frames():
    held = LayerInput()
    assert held.zero is None
    grid = Grid.symmetric(7.0, 4)  # steps of 1
    held.see(torch.tensor([0.0, 0.5, 0.51, -3.0]), grid, residual=True)
    held.see(torch.tensor([0.0, 0.1, 0.2, -0.5]), grid, residual=True)
    assert held.zero == pytest.approx(0.75)
    held.see(torch.tensor([0.0, 1.0, 300.0, 400.0]), Grid.affine(0.0, 255.0, 8), residual=False)
    held.see(torch.tensor([0.0, 1.0, 3.0, 4.0]), Grid.affine(-15.0, 240.0, 8), residual=False)
    assert (held.low, held.high, held.clipped) == pytest.approx((-15.0, 255.0, 0.25))


def test_without_a_grid_nothing_is_seen():
    held = LayerInput()
    held.see(torch.ones(3), None, residual=True)
    assert held == LayerInput()


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
