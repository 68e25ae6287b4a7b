"""Calibration: static ranges are averages over samples, residuals are measured at every offset."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.calibrate import layer_weights
from videoquant.errors import CalibrationWarning


@pytest.fixture(scope="module")
def network():
    return small_network()


def fixed(quantized, layer, which="key"):
    return getattr(quantized.grids[quantized.points[layer]], which).fixed


def test_static_range_is_the_average_of_the_samples(network):
    frames = [torch.rand(1, 3, 16, 16) * scale for scale in (1, 2, 6)]
    quantized = vq.quantize(network, "w8a8 minmax", frames)
    mean = sum(float(f.max()) for f in frames) / 3
    assert fixed(quantized, "stem").scale == pytest.approx(mean / 255, rel=1e-5)


@pytest.mark.parametrize("order", ["", "recurrent"])
def test_residual_range_is_the_average_over_offsets(network, order):
    # A scene that brightens by 0.1 a frame: pairwise offsets 0.1 and 0.2, recurrent steps 0.1.
    frames = [moving_frames(1)[0] + 0.1 * t for t in range(3)]
    quantized = vq.quantize(network, f"fp32->w8a8 T=3 minmax always-residual {order}", frames)
    assert fixed(quantized, "stem", "residual").scale * 127 == pytest.approx(0.1 if order else 0.15, rel=1e-3)


def test_later_layers_see_earlier_ones_quantized(network):
    frames = moving_frames(4)
    coarse, fine = (vq.quantize(network, f"{bits} minmax head=2", frames) for bits in ("w2a2", "w8a8"))
    seen = []

    def observe(node, y):
        if node.name == quantized.points["block.depthwise"].value:
            seen.append(float(y.max()))

    for quantized in (coarse, fine):
        seen.clear()
        for frame in frames:
            quantized.stream().run(frame, observe)
        limits = fixed(quantized, "block.depthwise")
        assert limits.range[1] == pytest.approx(sum(seen) / len(seen), rel=1e-4)


def test_the_estimator_of_the_scheme_is_used(network):
    frames = moving_frames(6)
    scales = {
        word: fixed(vq.quantize(network, f"w2a2 {word}", frames), "block.depthwise").scale
        for word in ("minmax", "mse", "aciq", "quantile=0.9")
    }
    assert len(set(scales.values())) == 4
    assert scales["minmax"] == max(scales.values())


def test_a_still_clip_calibrates_residuals_with_a_warning():
    frame = torch.zeros(1, 3, 16, 16)  # zero is on every grid, so that nothing at all moves
    with pytest.warns(CalibrationWarning, match="nothing moves at"):
        quantized = vq.quantize(small_network(), "fp32->w4a4 T=2 head=2", [frame, frame])
    assert all(torch.isfinite(y).all() for y in quantized(frame).values())


def test_too_little_data_is_refused(network):
    frames = moving_frames(1)
    with pytest.raises(vq.DataError, match="at least 2 consecutive frames; got 1"):
        vq.quantize(network, "w8a8->w4a4 T=3", frames)
    with pytest.raises(vq.DataError, match="at least 1 frame; got none"):
        vq.quantize(network, "w8a8", [])


def test_dynamic_ranges_need_no_frames(network):
    assert vq.quantize(network, "w8a8 dynamic", [])(moving_frames(1)[0])["map"].shape == (1, 4, 16, 16)


@pytest.mark.parametrize(("text", "count"), [("w8a8", 1), ("w8a8->w4a4 T=2", 2)])
def test_progress_is_called_once_per_node_and_walk(network, text, count):
    """Residual schemes are calibrated a second time where the first one took frame codes."""
    calls = []
    vq.quantize(network, text, moving_frames(4), progress=lambda: calls.append(1))
    assert len(calls) == count * len(network.nodes)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("w8a8->w4a4 T=2", (8, 4)),
        ("w4a4->w8a8 T=2", (4, 8)),
        ("w8a8->w8a4 T=2", (8, 8)),
        ("w8a8->fp32 T=2", (8, None)),
    ],
)
def test_residual_frames_have_weights_of_their_own_bits(network, text, bits):
    layer = layer_weights(network, vq.Scheme.parse(text))["block.project"]
    assert tuple(codes and codes.bits for codes in (layer.key, layer.residual)) == bits
    assert (layer.residual is layer.key) == (bits[0] == bits[1])
