"""Frame and residual quantization: the laws that any correct simulation obeys."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.data.video import Frame
from videoquant.errors import StreamWarning
from videoquant.quantizers.on_grid import fake_quantize
from videoquant.quantizers.placement import layer_bits, points


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def frames():
    return moving_frames(24)


def outputs(quantized, frames):
    stream = quantized.stream()
    return [stream(frame) for frame in frames]


def close(a, b, tolerance=1e-5):
    return all(torch.allclose(a[name], b[name], rtol=tolerance, atol=tolerance) for name in a)


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "text", ["fp32", "fp32 T=3", "w32a8->fp32 T=3", "w32a4->fp32 T=2", "fp32 T=4 recurrent"]
)
def test_a_floating_point_residual_is_the_floating_point_network(network, frames, text):
    # y_k + W∗(x_t − x̂_k) = W∗x_t: also where the keyframe's activations are quantized.
    quantized = vq.quantize(network, text, frames[:9])
    stream = quantized.stream()
    for frame in frames[9:]:
        y = stream(frame)
        if not stream.is_key or text.startswith("fp32"):
            assert close(y, network(frame))


@pytest.mark.parametrize("ranges", ["", "dynamic"])
@pytest.mark.parametrize(("pair", "key"), [("w8a8->w4a4", "w8a8"), ("w8a4->w2a3 recurrent", "w8a4")])
def test_the_keyframe_is_frame_quantization_at_its_bits(network, frames, pair, key, ranges):
    # The same keyframes calibrate both, so that static ranges are the same.
    by_frame = vq.quantize(network, f"{key} {ranges} no-bias-correction", frames[:9:3])
    residual = vq.quantize(network, f"{pair} T=3 {ranges}", frames[:9])
    stream = residual.stream()
    for frame in frames[9:]:
        y = stream(frame)
        if stream.is_key:
            assert equal(y, by_frame(frame))


def test_frame_quantization_is_pytorch_with_its_own_operators(frames):
    # The whole of w4a5 by hand, on a network of one layer.
    conv = torch.nn.Conv2d(3, 4, 3, padding=1).eval()
    network = vq.capture(conv, (frames[0],))
    quantized = vq.quantize(network, "w4a5 minmax head=2 tail=2 no-bias-correction", frames[:4])
    grid = quantized.grids[quantized.points[network.layers[0].name]].key.fixed
    low = sum(min(0.0, float(f.min())) for f in frames[:4]) / 4
    high = sum(float(f.max()) for f in frames[:4]) / 4
    assert grid.scale == pytest.approx((high - low) / 31, rel=1e-6)
    scale = conv.weight.detach().abs().amax((1, 2, 3)) / 7
    weight = torch.fake_quantize_per_channel_affine(
        conv.weight, scale, torch.zeros(4, dtype=torch.int32), 0, -7, 7
    )
    for frame in frames[4:]:
        x = torch.fake_quantize_per_tensor_affine(frame, grid.scale, grid.zero_point, 0, 31)
        expected = torch.nn.functional.conv2d(x, weight, conv.bias, padding=1)
        assert torch.allclose(quantized(frame), expected, atol=1e-6)


def test_pairwise_residual_is_the_formula(frames):
    conv = torch.nn.Conv2d(3, 4, 3, padding=1).eval()
    network = vq.capture(conv, (frames[0],))
    quantized = vq.quantize(network, "w8a8->w4a4 T=3 head=2 tail=2 no-bias-correction", frames[:9])
    name = network.layers[0].name
    grids, weights = quantized.grids[quantized.points[name]], quantized.weights[name]
    stream = quantized.stream()
    key = frames[9]
    x_k = fake_quantize(key, grids.key.fixed)
    y_k = torch.nn.functional.conv2d(x_k, weights.key.values, conv.bias, padding=1)
    assert torch.allclose(stream(key), y_k, atol=1e-6)
    for frame in frames[10:12]:
        delta = fake_quantize(frame - x_k, grids.residual.fixed)
        expected = y_k + torch.nn.functional.conv2d(delta, weights.residual.values, padding=1)
        assert torch.allclose(stream(frame), expected, atol=1e-6)
    assert not stream.is_key


def test_recurrent_residual_is_the_formula(frames):
    conv = torch.nn.Conv2d(3, 4, 1).eval()
    network = vq.capture(conv, (frames[0],))
    quantized = vq.quantize(network, "w8a8->w8a3 T=4 recurrent head=2 tail=2 no-bias-correction", frames[:8])
    name = network.layers[0].name
    grids, weights = quantized.grids[quantized.points[name]], quantized.weights[name]
    stream = quantized.stream()
    x = fake_quantize(frames[8], grids.key.fixed)
    y = torch.nn.functional.conv2d(x, weights.key.values, conv.bias)
    assert torch.allclose(stream(frames[8]), y, atol=1e-6)
    for frame in frames[9:12]:
        delta = fake_quantize(frame - x, grids.residual.fixed)
        x = x + delta
        y = y + torch.nn.functional.conv2d(delta, weights.residual.values)
        assert torch.allclose(stream(frame), y, atol=1e-5)


def test_the_unquantized_reference_is_an_option(network, frames):
    a, b = (
        outputs(vq.quantize(network, f"w4a4->w8a8 T=3 {reference}", frames[:9]), frames[9:12])
        for reference in ("", "float-reference")
    )
    assert equal(a[0], b[0])  # the keyframe does not see it
    errors = [float((out[2]["map"] - network(frames[11])["map"]).square().mean()) for out in (a, b)]
    # The residual against the quantized keyframe repairs its error; against the real one it does not.
    assert errors[0] < errors[1]


@pytest.mark.parametrize(
    "text", ["w8a8", "w8a8->w4a4 T=3", "w8a8->w8a8 T=2 adaptive", "w8a4->w4a4 T=5 recurrent"]
)
def test_two_interleaved_streams_equal_two_separate_ones(network, frames, text):
    quantized = vq.quantize(network, text, frames[:9])
    first, second = frames[:10], moving_frames(10, seed=7)
    separate = outputs(quantized, first), outputs(quantized, second)
    one, two = quantized.stream(), quantized.stream()
    two(second[0])
    two.reset()  # out of step, and back
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        assert equal(one(a), separate[0][i])
        assert equal(two(b), separate[1][i])


def keys(quantized, frames):
    stream = quantized.stream()
    result = []
    for frame in frames:
        stream(frame)
        result.append(stream.is_key)
    return result


def test_keyframes_come_every_period(network, frames):
    quantized = vq.quantize(network, "w8a8->w4a4 T=4", frames[:9])
    assert keys(quantized, frames[:10]) == [True, False, False, False] * 2 + [True, False]
    assert keys(vq.quantize(network, "w8a8 T=1", frames[:3]), frames[:3]) == [True] * 3


def video_frames(indexes, size=(16, 16)):
    pixels = torch.randint(0, 255, (*size, 3), dtype=torch.uint8).numpy()
    return [Frame(pixels, index) for index in indexes]


def test_a_seek_a_new_resolution_and_a_reset_start_from_a_keyframe(network, frames):
    quantized = vq.quantize(network, "w8a8->w4a4 T=8", frames[:16])
    assert keys(quantized, video_frames([0, 1, 2, 7, 8, 3])) == [True, False, False, True, False, True]
    with pytest.warns(StreamWarning, match="one that differs from the frame before is a keyframe"):
        assert keys(quantized, video_frames([0, 1]) + video_frames([2, 3], (24, 20))) == [True, False] * 2
    stream = quantized.stream()
    stream(frames[0]), stream(frames[1])
    assert not stream.is_key
    stream.reset()
    stream(frames[2])
    assert stream.is_key


def test_a_refused_frame_leaves_the_stream_as_it_was(network, frames):
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", frames[:9])
    expected = outputs(quantized, frames[:3])
    stream = quantized.stream()
    assert equal(stream(frames[0]), expected[0])
    broken = frames[1].clone()
    broken[0, 0, 0, 0] = float("nan")
    for bad, message in ((broken, "NaN"), (frames[1][..., :8], "the input must be 1×3×16×16")):
        with pytest.raises(vq.DataError, match=message):
            stream(bad)
    assert equal(stream(frames[1]), expected[1])
    assert equal(stream(frames[2]), expected[2])


@pytest.mark.parametrize("bits", ["w8a8", "w4a8", "w8a6", "w4a4", "w8a2"])
@pytest.mark.parametrize("recurrent", ["", "recurrent"])
def test_adaptive_without_tolerance_changes_no_output(network, frames, bits, recurrent):
    plain, adaptive = (
        vq.quantize(network, f"w8a8->{bits} T=3 {recurrent} {word}", frames[:9]) for word in ("", "adaptive")
    )
    for a, b in zip(outputs(plain, frames), outputs(adaptive, frames), strict=True):
        assert equal(a, b)


def test_tolerance_saves_more_and_loses_more(network, frames):
    means, errors = [], []
    for tau in (0, 2, 8):
        quantized = vq.quantize(network, f"w8a8->w8a8 T=3 adaptive tau={tau}", frames[:9])
        stream = quantized.stream()
        stream(frames[9])
        error = float((stream(frames[10])["map"] - network(frames[10])["map"]).square().mean())
        shares = stream.shares.values()
        assert all(sum(share.values()) == pytest.approx(1) for share in shares)
        assert all(set(share) == {0, 4, 8} for share in shares)
        means.append(sum(w * s for share in shares for w, s in share.items()))
        errors.append(error)
    assert means[0] > means[1] > means[2]
    assert errors[0] < errors[2]


def test_a_still_scene_costs_nothing_where_it_repeats(network, frames):
    # x_t = x̂_k wherever the network's input is on the grid: a stream of one repeated frame, with tolerance
    # for the keyframe's own rounding.
    quantized = vq.quantize(network, "w8a8->w8a8 T=2 adaptive tau=127 always-residual", frames[:8])
    stream = quantized.stream()
    first = stream(frames[0])
    again = stream(frames[0])
    assert all(share[0] == 1 for share in stream.shares.values())
    assert equal(first, again)


def test_gradients_reach_input_and_weights(network, frames):
    quantized = vq.quantize(network, "w8a8->w4a4 T=2", frames[:8])
    x = [frame.clone().requires_grad_() for frame in frames[:2]]
    weight = network.tensors["stem.weight"]
    before = outputs(quantized, frames[:2])[1]
    try:
        weight.requires_grad_()
        stream = quantized.stream()
        stream(x[0])
        y = stream(x[1])
        assert close(y, before)  # the differentiable path computes the same
        (y["map"].sum() + y["scores"].sum()).backward()
    finally:
        weight.requires_grad_(False)
    assert all(float(leaf.grad.abs().sum()) > 0 for leaf in (*x, weight))
    weight.grad = None


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_the_number_of_threads(network, frames, threads):
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", frames[:9])
    expected = outputs(quantized, frames[:3])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert all(equal(a, b) for a, b in zip(outputs(quantized, frames[:3]), expected, strict=True))
    finally:
        torch.set_num_threads(before)


def test_layers_that_share_an_input_share_a_quantizer(network):
    at = points(network, layer_bits(network, vq.Scheme.parse("w8a8->w4a4 tail=2")))
    assert at["left"] == at["right"]
    assert at["stem"].key == 8 and at["stem"].residual == 8  # the head keeps 8 bits
    assert at["left"].residual == 4


def test_head_and_tail(network):
    bits = layer_bits(network, vq.Scheme.parse("w4a4 head=fp tail=6"))
    assert bits["stem"].is_float
    assert str(bits["up"]) == str(bits["classify"]) == "w6a6"
    assert str(bits["block.gate"]) == str(bits["left"]) == "w4a4"


def test_a_saved_prediction_is_not_overwritten_by_the_next_frame(network, frames):
    stream = vq.quantize(network, "w8a8->w4a4 T=3", frames[:9]).stream()
    kept = stream(frames[0])
    copy = {name: y.clone() for name, y in kept.items()}
    stream(frames[1]), stream(frames[2])
    assert equal(kept, copy)


@pytest.mark.parametrize(
    "text",
    [
        *("w8a8", "w4a8 per-tensor", "w8a8->w4a4 T=3", "w8a8->w8a4 T=3 recurrent", "w8a8->w4a8 T=3 adaptive"),
        *("w8a8->w8a4 T=3 adaptive tau=2 recurrent", "w8a8 dynamic minmax", "w8a8->w4a4 T=3 qpp=5"),
        *("w8a8->w4a4 T=3 ds=1%", "w32a8", "w8a8->w8a8 T=4 float-reference"),
    ],
)
def test_one_pass_and_pytorchs_operators_give_the_same_bits(network, frames, text, monkeypatch):
    quantized = vq.quantize(network, text, frames[:9])
    in_one_pass = outputs(quantized, frames[9:])
    for module in ("quantizers.on_grid", "simulate.step", "simulate.layer"):
        monkeypatch.setattr(f"videoquant.{module}.is_plain", lambda *_: False)
    by_operators = outputs(quantized, frames[9:])
    assert all(map(equal, in_one_pass, by_operators))
