"""Predicted ranges end to end: fitted in network order, used frame by frame, kept by state and files."""

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.calibrate import walks
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.predicted_fit import PredictedFit
from videoquant.errors import CalibrationWarning
from videoquant.ranges.features import PAPER_FEATURES
from videoquant.ranges.sources import PredictedGrid, StaticGrid
from videoquant.simulate.quantized import QuantizedNetwork


@pytest.fixture(scope="module")
def network():
    return small_network()


def scenes(count, seed=0):
    """Unrelated inputs 1×3×16×16 of very different contrast."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 3, 16, 16, generator=generator) * (0.2 + 3 * i / count) for i in range(count)]


def clips(count, seed=0):
    """Frames of cuts T = 3 long in which more or less moves."""
    return [frame * (1 + i % 4) for i in range(count) for frame in moving_frames(3, seed=seed + i)]


def error(network, quantized, frames):
    total = 0.0
    with torch.no_grad():
        for frame in frames:
            total += float((quantized.stream()(frame)["map"] - network(frame)["map"]).square().sum())
    return total


@pytest.mark.parametrize("qpp", ["qpp", "qpp=3"])
def test_prediction_beats_the_average_and_nears_measuring(network, qpp):
    fit, held_out = scenes(40), scenes(20, seed=1)
    static, dynamic, predicted = (
        error(network, vq.quantize(network, f"w8a4 minmax head=fp tail=fp {ranges}", fit), held_out)
        for ranges in ("static", "dynamic", qpp)
    )
    assert predicted < dynamic + 0.5 * (static - dynamic) < static


def test_predicted_thresholds_keep_the_density(network):
    def spread(ranges):
        quantized = vq.quantize(network, f"w8a4 ds=10% {ranges}", scenes(40))
        densities = []
        for frame in scenes(20, seed=1):
            stream = quantized.stream()
            stream.run(frame)
            densities.append(stream.densities[quantized.points["block.depthwise"]])
        return np.abs(np.array(densities) / 0.1 - 1).mean()

    assert spread("qpp") < 0.5 * spread("static")


def test_layers_before_the_first_position_are_static(network):
    quantized = vq.quantize(network, "w8a4 qpp", scenes(20))
    assert isinstance(quantized.grids[quantized.points["stem"]].key, StaticGrid)
    assert isinstance(quantized.grids[quantized.points["classify"]].key, PredictedGrid)
    whole = vq.quantize(network, "w8a4 qpp at=input", scenes(20))
    assert all(isinstance(grids.key, PredictedGrid) for grids in whole.grids.values())


def test_the_range_used_is_the_one_predicted_from_this_frame(network):
    quantized = vq.quantize(network, "w8a4 minmax qpp=5 at=first-relu", scenes(20))
    position = next(iter(quantized.watched))
    frame, probed, seen = scenes(3, seed=5)[1], {}, {}

    def observe(node, y):
        if node.name == position:
            seen[position] = quantized.watched[position].extract(y, None)

    quantized.stream().run(
        frame,
        observe,
        lambda point, x, source, seen: probed.update({point: source.grid(x.detach().numpy, seen)}),
    )
    source = quantized.grids[quantized.points["classify"]].key
    assert probed[quantized.points["classify"]] == source.grid(torch.zeros(1), seen)


@pytest.mark.parametrize(
    "text",
    [
        "w8a8->w4a4 T=3 qpp",
        "w8a8->w4a4 T=3 qpp ds=3%",
        "w8a8->w4a4 T=3 qpp at=input recurrent",
        "w8a8->w8a8 T=3 qpp adaptive tau=1",
        "w8a8->w4a4 T=3 qpp=4 at=auto:2",
        "w8a8->w4a4 T=3 qpp float-reference",
    ],
)
def test_the_walk_sees_what_a_stream_computes(network, text):
    """Calibration's values are those of a stream over the same frames, to the last bit."""
    scheme = vq.Scheme.parse(
        f"{text} no-bias-correction"
    )  # which a pass would make, and a network may refuse
    frames = [network.prepare(frame) for frame in clips(12)]
    quantized = vq.quantize(network, scheme, frames)
    runs = [frames[i : i + 3] for i in range(0, 36, 3)]
    fit = PredictedFit.prepared(network, scheme, quantized.weights, runs, None)
    walk = CalibrationPass(network, scheme, quantized.weights, fit)
    outputs = {}
    original = walk._layer

    def layer(node, x):
        outputs[node.name] = list(original(node, x))
        return iter(outputs[node.name])

    walk._layer = layer
    walk.run(runs, None)
    learnt = QuantizedNetwork(network, scheme, quantized.weights, walk.grids)
    assert fit.checked(learnt, runs).grids == quantized.grids
    stream = learnt.stream()
    for i, frame in enumerate(frames[:6]):
        with torch.no_grad():
            y = stream.run(frame)
        assert stream.is_key == (i % 3 == 0)
        assert torch.equal(y["map"], outputs["up"][i])


def test_residual_ranges_follow_the_motion(network):
    quantized = vq.quantize(network, "w8a8->w4a4 T=2 qpp at=first-relu minmax", clips(16))
    stream, scales = quantized.stream(), []
    base = moving_frames(1)[0]
    move = torch.randn(base.shape, generator=torch.Generator().manual_seed(1))

    def probe(point, x, source, seen):
        if point == quantized.points["block.depthwise"]:
            scales.append(source.grid(x.detach().numpy, seen).scale)

    for size in (0.05, 0.4):
        stream.reset()
        stream.run(base)
        stream.run(base + size * move, None, probe)
    assert scales[1] > 2 * scales[0]


def test_a_still_clip_has_an_answer(network):
    frames = [f for i in range(8) for f in [torch.full((1, 3, 16, 16), 0.1 * (i + 1))] * 2]
    with pytest.warns(CalibrationWarning, match="nothing moves"):
        quantized = vq.quantize(network, "fp32->w4a4 T=2 qpp at=input head=2", frames)
    assert all(torch.isfinite(y).all() for frame in frames for y in quantized(frame).values())


def test_constant_frames_have_an_answer(network):
    frames = [torch.full((1, 3, 16, 16), 0.5)] * 12
    quantized = vq.quantize(network, "w8a4 qpp=8", frames)
    assert all(torch.isfinite(y).all() for y in quantized(scenes(1)[0]).values())


@pytest.mark.parametrize(
    "text", ["w8a4 qpp", "w8a4 qpp=30", "w8a4 qpp=5 at=first-relu", "w8a8->w4a4 T=3 qpp"]
)
def test_fewer_samples_than_features_are_enough(network, text):
    quantized = vq.quantize(network, text, clips(12) if "->" in text else scenes(12))
    sources = [grids.key for grids in quantized.grids.values()]
    assert any(isinstance(source, PredictedGrid) for source in sources)
    y = quantized.stream().run(scenes(1, seed=8)[0])
    assert all(torch.isfinite(value).all() for value in y.values())


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("words", ["qpp", "qpp=7 at=input", "qpp=5 at=first-relu"])
def test_a_few_samples_teach_no_predictor(network, words, count):
    frames = scenes(count)
    with pytest.warns(CalibrationWarning, match="too few frames differ at"):
        quantized = vq.quantize(network, f"w8a4 {words}", frames)
    assert quantized.grids == vq.quantize(network, "w8a4", frames).grids


def test_an_unknown_position_is_refused_before_anything_runs(network):
    with pytest.raises(vq.SchemeError, match="no such layer"):
        vq.quantize(network, "w8a4 qpp at=nowhere", scenes(10))


def test_automatic_positions_begin_with_the_first_activation(network):
    frames = scenes(30)
    named = vq.quantize(network, "w8a4 minmax qpp=5 at=first-relu", frames)
    placed = vq.quantize(network, "w8a4 minmax qpp=5 at=auto:3", frames)
    assert set(named.watched) <= set(placed.watched)
    assert 1 < len(placed.watched) <= 3

    def quality(quantized):
        return np.mean([g.key.predictor.quality for g in quantized.grids.values() if g.key.predictor])

    assert quality(placed) < quality(named)
    assert set(vq.quantize(network, "w8a4 minmax qpp=5 at=auto:1", frames).watched) == set(named.watched)


def test_features_chosen_by_f_test(network):
    quantized = vq.quantize(network, "w8a4 minmax qpp=3 at=first-relu", scenes(30))
    (watched,) = quantized.watched.values()
    assert len(watched.key) == 3 and watched.key != PAPER_FEATURES[:3]


def test_progress_is_called_once_per_node_and_walk(network):
    for text in ("w8a4", "w8a4 qpp", "w8a4 qpp at=auto:2", "w8a4 qpp=3", "w8a4 dynamic"):
        calls = []
        vq.quantize(network, text, scenes(12), progress=lambda calls=calls: calls.append(1))
        assert len(calls) == len(network.nodes) * walks(vq.Scheme.parse(text)), text


def test_a_saved_predictor_predicts_the_same(network, tmp_path):
    for text in ("w8a4 qpp at=auto:2", "w8a8->w4a4 T=3 qpp ds=1%"):
        frames = clips(12)
        quantized = vq.quantize(network, text, frames)
        vq.save(quantized, tmp_path / "a.vq")
        loaded = vq.load_quantized(tmp_path / "a.vq")
        assert loaded.watched == quantized.watched and loaded.grids == quantized.grids
        for frame in frames[:4]:
            assert torch.equal(quantized(frame)["map"], loaded(frame)["map"])
        quantized.reset()
