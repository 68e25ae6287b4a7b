"""Frame codes on residual frames: where they are better, what they compute, and that files keep them."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import videoquant as vq
from tests.networks import frame_codes_by_turns, moving_frames, small_network
from videoquant.axes import Residual
from videoquant.calibration import calibration_pass
from videoquant.calibration.frame_choice import compared_runs, frame_codes_are_better
from videoquant.calibration.layer_outputs import LayerOutputs
from videoquant.cli.inspect import frame_codes, layer_table, ranges_text
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork

TIMES = ("w8a8->w4a4 T=3", "w8a8->w8a4 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8->w4a4 T=6", "w8a8->w4a4 ds=2%")
SCHEMES = [f"{time} head=2 tail=2" for time in TIMES]


@pytest.fixture(scope="module")
def network():
    """Layers whose values move where the input does: nothing in it takes a mean."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Conv2d(16, 4, 1))
    return vq.capture(nn.Sequential(*layers).eval(), torch.rand(1, 3, 16, 16))


def cuts(count):
    """A clip in which every frame is another picture."""
    draw = np.random.default_rng(3)
    return [torch.from_numpy(draw.random((1, 3, 16, 16), np.float32)) for _ in range(count)]


def spot(count):
    """A clip in which a sixteenth of the pixels changes."""
    still = cuts(1)[0]
    frames = [still.clone() for _ in range(count)]
    for i, frame in enumerate(frames):
        frame[..., 4:8, 4:8] += 0.1 * (i % 2)
    return frames


def as_frame_scheme(quantized):
    """The frame scheme that residual frames are computed by where all points take the frame's codes."""
    time = quantized.scheme.time
    weights = {name: LayerWeights(layer.residual) for name, layer in quantized.weights.items()}
    of_layer = {name: quantized.grids[point].residual for name, point in quantized.points.items()}
    tensors = dict(quantized.network.tensors)
    for name, layer in quantized.weights.items():
        if layer.residual_bias is not None:
            tensors[f"{name}.bias"] = layer.residual_bias
    scheme = vq.Scheme(time.bits, representation=quantized.scheme.representation)
    found = QuantizedNetwork(quantized.network.with_tensors(tensors), scheme, weights, {})
    found.grids.update({point: PointGrids(of_layer[name]) for name, point in found.points.items()})
    return found


@pytest.mark.parametrize("text", SCHEMES)
def test_where_everything_moves_a_scheme_becomes_frame_quantization(network, text):
    frames = cuts(24)
    quantized = vq.quantize(network, text, frames)
    assert all(grids.of_frame for grids in quantized.grids.values())
    stream, alone = quantized.stream(), as_frame_scheme(quantized).stream()
    for frame in cuts(24):
        y, wanted = stream.run(frame), alone.run(frame)
        if not stream.is_key:
            assert all(torch.equal(y[name], wanted[name]) for name in y)
    assert not stream.state.reference and not stream.state.output


@pytest.mark.parametrize("text", SCHEMES)
def test_where_almost_nothing_moves_it_stays_as_it_is(network, text):
    frames = spot(24)
    quantized = vq.quantize(network, text, frames)
    assert not any(grids.of_frame for grids in quantized.grids.values())
    without = vq.quantize(network, f"{text} always-residual", frames)
    assert all(torch.equal(quantized(frame), without(frame)) for frame in frames)


@pytest.mark.parametrize("text", SCHEMES)
def test_it_comes_closer_to_floating_point(network, text):
    frames = cuts(24)
    errors = []
    for word in ("", " always-residual"):
        stream = vq.quantize(network, text + word, frames).stream()
        errors.append(sum(float((stream(frame) - network(frame)).square().sum()) for frame in frames))
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("text", SCHEMES)
def test_choices_that_take_the_output_away_are_undone(network, text, monkeypatch):
    monkeypatch.setattr(calibration_pass, "frame_codes_are_better", lambda *_: True)
    frames, steps = spot(24), []
    quantized = vq.quantize(network, text, frames, progress=lambda: steps.append(0))
    assert str(quantized.scheme) == str(vq.Scheme.parse(text)) and len(steps) == 2 * len(network.nodes)
    without = vq.quantize(network, f"{text} always-residual", frames)
    assert not any(grids.of_frame for grids in quantized.grids.values())
    assert all(torch.equal(quantized(frame), without(frame)) for frame in frames)


@pytest.mark.parametrize(("share", "better"), [(1.0, False), (0.92, False), (0.87, True), (0.0, True)])
def test_a_margin_is_asked(network, share, better):
    """share: how large the frame codes' error is beside the residual codes'."""
    node, weights = network.layers[0], {"0": LayerWeights(None)}
    x, noise = cuts(3), torch.randn(1, 3, 16, 16)

    def codes(size):
        return lambda run: (x[i] + size * noise for i in run)

    residual, frame = codes(0.1), codes(0.1 * share)
    # A residual is added to the keyframe's output: here it is all of the frame.
    outputs = LayerOutputs(network, weights, recurrent=False)
    outputs.of_clip = lambda node, codes, of_frame: map(partial(outputs.of_residual_frame, node), codes)
    runs = [[0, 1, 2]]
    assert frame_codes_are_better(outputs, [node], x.__getitem__, runs, residual, frame) == better


def test_compared_frames_are_some_of_all_distances():
    clips = [range(12 * i, 12 * i + 12) for i in range(3)]
    runs = compared_runs(clips, recurrent=False)
    assert [run[0] for run in runs] == [0, 12, 24]
    distances = [i - run[0] for run in runs for i in run[1:]]
    assert len(set(distances)) == len(distances) and 6 <= len(distances) <= 12
    assert compared_runs(clips, recurrent=True) == [clips[0]]
    assert compared_runs([range(2)], recurrent=False) == [[0, 1]]
    many = [range(3 * i, 3 * i + 3) for i in range(40)]
    assert 6 <= sum(len(run) - 1 for run in compared_runs(many, recurrent=False)) <= 16


def test_biases_of_residual_frames_are_corrected(network):
    frames = cuts(24)
    quantized = vq.quantize(network, "w8a8->w3a4 T=3", frames)
    assert any(layer.residual_bias is not None for layer in quantized.weights.values())
    assert quantized.network is network  # keyframes keep theirs
    plain = vq.quantize(network, "w8a8->w3a4 T=3 no-bias-correction", frames)
    assert all(layer.residual_bias is None for layer in plain.weights.values())


@pytest.mark.parametrize("text", ["w8a8->w3a4 T=3", "w8a8->w32a4 T=2 ds=3%", "w8a8->w4a4 T=3 adaptive"])
def test_files_keep_them(text, tmp_path, monkeypatch):
    frame_codes_by_turns(monkeypatch)
    frames = moving_frames(24)
    quantized = vq.quantize(small_network(), text, frames)
    assert len({grids.of_frame for grids in quantized.grids.values()}) == 2
    vq.save(quantized, tmp_path / "net.vq")
    loaded = vq.load_quantized(tmp_path / "net.vq")
    assert loaded.grids == quantized.grids
    for frame in frames:
        a, b = quantized(frame), loaded(frame)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_files_without_the_word_keep_their_meaning(tmp_path):
    scheme = vq.Scheme.parse("w8a8->w4a4 T=3 always-residual")
    old = scheme.to_dict()
    del old["time"]["frame_codes"]
    assert vq.Scheme.from_dict(old) == scheme
    assert vq.Scheme.from_dict(scheme.to_dict()) == scheme == vq.Scheme.parse(str(scheme))
    assert Residual().frame_codes and "always" not in str(vq.Scheme(time=Residual()))


def changed(path, change):
    """The file with another header and tensors."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    header = json.loads(metadata["videoquant"])
    change(header, tensors)
    save_file(tensors, path, {**metadata, "videoquant": json.dumps(header)})


def dynamic(header, tensors):
    header["grids"]["1:a8->a4"][1] = {"of_frame": "dynamic"}


def signed(header, tensors):
    pair = header["grids"]["1:a8->a4"]
    pair[1] = pair[1]["of_frame"]


def short(header, tensors):
    name = next(name for name in tensors if name.startswith("bias/residual/"))
    tensors[name] = tensors[name][:-1].clone()


def not_finite(header, tensors):
    name = next(name for name in tensors if name.startswith("bias/residual/"))
    tensors[name] = tensors[name] / 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dynamic, "the frame's own codes have a static grid"),
        (signed, "4 bits have"),
        (short, "its bias for residual frames must be"),
        (not_finite, "its bias for residual frames must be"),
    ],
)
def test_damaged_files_are_refused(network, tmp_path, change, said):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8->w3a4 T=3", cuts(24)), path)
    changed(path, change)
    with pytest.raises(vq.NetworkError, match=said):
        vq.load_quantized(path)


def test_inspect_says_how_many(monkeypatch):
    frame_codes_by_turns(monkeypatch)
    quantized = vq.quantize(small_network(), "w8a8->w4a4 T=3", moving_frames(24))
    count = sum(grids.of_frame for grids in quantized.grids.values())
    assert 0 < count < len(quantized.grids)
    (line,) = frame_codes(quantized)
    assert f"{count} of {len(quantized.grids)} quantizers" in line
    texts = {ranges_text(grids) for grids in quantized.grids.values()}
    assert texts == {"static", "static -> the frame's codes"}
    assert layer_table(quantized.network, quantized.scheme, quantized).row_count == len(
        quantized.network.layers
    )
    assert not frame_codes(vq.quantize(small_network(), "w8a8->w4a4 always-residual", moving_frames(9)))
