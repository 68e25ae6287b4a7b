"""Each engine computes the network: fp32 to rounding, int8 near it."""

from types import SimpleNamespace as Namespace

import numpy as np
import pytest
import torch

from tests.networks import moving_frames, small_network
from videoquant._native import isas
from videoquant.bench import engines, onnxruntime_engine, openvino_engine
from videoquant.bench.carried import FileNames
from videoquant.bench.engine_config import MissingPackageError, Prepared
from videoquant.bench.own_engine import modes_at
from videoquant.errors import SchemeError
from videoquant.network.graph import Node
from videoquant.network.onnx_writer import write_onnx
from videoquant.network.preprocessing import Preprocessing
from videoquant.runtime.session import MODES
from videoquant.schemes import Scheme


@pytest.fixture(scope="module")
def network():
    return small_network(size=32)


@pytest.fixture(scope="module")
def inputs():
    return moving_frames(8, size=32)


def build(engine, network, inputs, folder):
    given = engines.BenchmarkSpec(network, [[x] for x in inputs], Scheme.parse("w8a8"), MODES, 1, folder)
    return engines.build([engine], given)


def check(network, configs, inputs):
    expected = network.run(inputs[3])
    for config in configs:
        runner = config.open()
        outputs = runner.run(inputs[3].contiguous(memory_format=runner.layout))
        assert list(outputs) == list(expected)
        largest, whole = (1e-4, 1e-6) if config.precision == "fp32" else (0.1, 0.05)
        # On CPUs with AVX2 alone OpenVINO's sums of bytes may saturate: single values are further off then.
        exact = {"avx512", "avx_vnni"} & set(isas())
        saturates = config.label == "openvino int8" and "avx2" in isas() and not exact
        for name, y in outputs.items():
            assert y.shape == expected[name].shape and y.dtype == torch.float32
            error = (y - expected[name]).abs().max() / expected[name].abs().max()
            assert error < largest or saturates, (config.label, name, float(error))
            distance = (y - expected[name]).norm() / expected[name].norm()
            assert distance < whole, (config.label, name, float(distance))
            assert config.precision == "fp32" or error > 0  # int8 in fact


def test_onnx_runtime(network, inputs, tmp_path):
    pytest.importorskip("onnxruntime")
    configs = build("onnxruntime", network, inputs, tmp_path)
    assert [c.label for c in configs] == ["onnxruntime fp32", "onnxruntime int8"]
    check(network, configs, inputs)


def test_openvino(network, inputs, tmp_path):
    for package in openvino_engine.QUANTIZER:
        pytest.importorskip(package)
    configs = build("openvino", network, inputs, tmp_path)
    assert [c.label for c in configs] == ["openvino fp32", "openvino int8"]
    check(network, configs, inputs)
    assert configs[0].open().int8_share == 0
    assert configs[1].open().int8_share > 0.5


def test_our_own(network, inputs, tmp_path):
    configs = build("videoquant", network, inputs, tmp_path)
    assert [c.label for c in configs] == [
        "videoquant int8",
        "videoquant int8 exact",
        "videoquant int8 regions",
    ]
    check(network, configs, inputs)
    whole, exact, regions = (config.open() for config in configs)
    for x in inputs:
        x = x.contiguous(memory_format=torch.channels_last)
        outputs = whole.run(x)
        assert all(torch.equal(y, outputs[name]) for name, y in exact.run(x).items())
        regions.run(x)
    shares = [runner.report.work_share for runner in (exact, whole)]
    assert 0 < shares[0] <= shares[1] == 1
    assert 0 < regions.report.work_share <= 1
    assert whole.report.memory_bytes > 0


def test_streams_with_regions_take_the_bytes_that_the_input_is_made_of(network, inputs, tmp_path):
    network = small_network(size=32)
    network.preprocessing = Preprocessing(mean=(0.1, 0.2, 0.3), color="BGR", fit="crop")
    configs = build("videoquant", network, inputs, tmp_path)
    whole, regions = configs[0].open(), configs[-1].open()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    frame = Prepared.of(network, pixels)
    assert frame.picture.shape == (32, 32, 3)
    assert frame.picture.tolist() == network.preprocessing.picture(pixels, (32, 32))[..., ::-1].tolist()
    given = regions.lay_out(frame)
    assert given is frame.picture
    expected = whole.run(whole.lay_out(frame))
    assert all(torch.equal(y, expected[name]) for name, y in regions.run(given).items())  # the first is whole


SIX = ("clamp", {"min": 0, "max": 6})
ACTIVATIONS = {
    "ReLU": ([("a", "clamp", ("c",), {"min": 0})], False),
    "ReLU6 behind a sum": ([("s", "add", ("c", "image"), {}), ("a", SIX[0], ("s",), SIX[1])], False),
    "squeeze and excite": (
        [
            ("p", "mean", ("c",), {"dims": [2, 3], "keepdim": True}),
            ("g", "sigmoid", ("p",), {}),
            ("a", "mul", ("c", "g"), {}),
        ],
        False,
    ),
    "PReLU": ([("a", "leaky_relu", ("c",), {"slope": 0.1})], True),
    "SiLU written out": ([("s", "sigmoid", ("c",), {}), ("a", "mul", ("c", "s"), {})], True),
    "hard-swish written out": (
        [
            ("k", "constant", (), {}),
            ("p", "add", ("c", "k"), {}),
            ("q", SIX[0], ("p",), SIX[1]),
            ("a", "mul", ("q", "c"), {}),
        ],
        True,
    ),
    "GELU by erf": (
        [
            ("k", "constant", (), {}),
            ("h", "mul", ("c", "k"), {}),
            ("e", "erf", ("c",), {}),
            ("f", "add", ("e", "k"), {}),
            ("a", "mul", ("h", "f"), {}),
        ],
        True,
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nncfs_preset_is_mixed_where_an_activation_is_not_relu(name):
    nodes, expected = ACTIVATIONS[name]
    conv = Node("c", "conv2d", ("image",), {})
    network = Namespace(nodes=[conv, *(Node(n, op, inputs, given) for n, op, inputs, given in nodes)])
    assert openvino_engine.goes_below_zero(network) is expected


def test_onnx_runtimes_weights_have_7_bits_where_its_sums_saturate():
    assert onnxruntime_engine.saturates(("avx2", "avx512f"))
    assert not onnxruntime_engine.saturates(("avx2", "avx512f", "avx512_vnni"))
    assert not onnxruntime_engine.saturates(("avx2", "avx_vnni"))
    assert not onnxruntime_engine.saturates(("asimddp",))


def test_threads_are_taken(network, inputs, tmp_path):
    pytest.importorskip("onnxruntime")
    write_onnx(network, tmp_path / "net.onnx")
    runner = onnxruntime_engine.open_model(tmp_path / "net.onnx", FileNames.of(network), 2)
    assert runner._session.get_session_options().intra_op_num_threads == 2


def test_engines_that_are_not_installed_are_left_out_or_refused(monkeypatch):
    monkeypatch.setattr(engines, "missing", lambda packages: [p for p in packages if p == "nncf"])
    chosen, notes = engines.choose(None)
    assert chosen == [name for name in engines.PACKAGES if name != "openvino"]
    assert notes == ["openvino is not measured: nncf is not installed; pip install 'videoquant[bench]'"]
    with pytest.raises(MissingPackageError, match="openvino cannot be measured: nncf is not installed"):
        engines.choose(["onnxruntime", "openvino"])
    with pytest.raises(
        MissingPackageError, match="tvm: no such engine; there are openvino, onnxruntime, videoquant"
    ):
        engines.choose(["tvm"])


def test_regions_are_left_out_where_they_cannot_be_unless_they_are_wanted():
    modes, frames, regions = MODES, Scheme.parse("w8a8"), Scheme.parse("w8a8 regions")
    one_block, two = (Namespace(size=size, states={}, name="n") for size in ((12, 12), (12, 17)))
    keeps = Namespace(size=(32, 32), states={"h": "y"}, name="n")
    assert modes_at(modes, frames, one_block, wanted=False) == ("frame", "exact")
    assert modes_at(modes, frames, keeps, wanted=False) == ("frame", "exact")
    assert modes_at(modes, frames, two, wanted=False) == modes
    assert modes_at(("frame",), frames, one_block, wanted=True) == ("frame",)
    blocks, states = "blocks of 16×16 pixels, and the network's input of 12×12", r"n has states \(h\)"
    for network, message in ((one_block, blocks), (keeps, states)):
        for scheme, wanted in ((frames, True), (regions, False)):
            with pytest.raises(SchemeError, match=message):
                modes_at(modes, scheme, network, wanted)
