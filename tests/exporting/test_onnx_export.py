"""Exported files in ONNX Runtime give what the simulation gives."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import videoquant as vq
from tests.engine.random_networks import networks
from tests.networks import moving_frames, small_network
from videoquant.exporting.check import check
from videoquant.exporting.onnxruntime_stream import OnnxRuntimeStream
from videoquant.exporting.state_names import is_state
from videoquant.tasks.sqnr import Sqnr

SCHEMES = [
    *(
        "w8a8",
        "w4a4",
        "w8a8 per-tensor",
        "w8a8 asymmetric",
        "w4a6 minmax dynamic",
        "w8a8 quantile=0.99 dynamic",
        "w8a8 ds=3% dynamic",
        "w8a4 qpp",
        "w8a32",
        "w32a8",
    ),
    *("w8a8 ds=1%", "w8a8 ds=1% qpp", "w8a8 head=32 tail=32", "w8a8->w4a8 T=3 adaptive"),
    *("w8a8->w4a4 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8->w8a8 T=3 recurrent qpp"),
    *("w8a8->w4a4 T=3 quantile=0.999 dynamic", "w8a8->w4a8 T=3 ds=1% dynamic"),
    *("w8a8->w4a4 T=3 minmax dynamic", "w8a8->w4a4 T=3 float-reference ds=1%"),
]


def quantized(text: str, network: vq.Network | None = None) -> vq.QuantizedNetwork:
    network = network or small_network()
    return vq.quantize(network, text, moving_frames(30))


def run(quantized: vq.QuantizedNetwork, files: list[Path], frames: list[torch.Tensor]) -> tuple[float, float]:
    """The largest difference to the simulation, as a share of the largest value; and the SQNR, dB."""
    stream, runtime = quantized.stream(), OnnxRuntimeStream(files, quantized.scheme.period, threads=1)
    largest, sqnr = 0.0, Sqnr()
    for frame in frames:
        simulated, found = stream.run(frame), runtime.run(frame)
        assert found.keys() == simulated.keys()
        for name, value in simulated.items():
            largest = max(largest, float((found[name] - value).abs().max() / value.abs().max()))
            sqnr.update(value, found[name])
    return largest, sqnr.result()


@pytest.mark.parametrize(
    ("text", "opset"), [*((text, 20) for text in SCHEMES), ("w4a4", 21), ("w8a8->w4a4 T=3", 21)]
)
def test_integer_layers_give_the_simulation_s_values(text, opset, tmp_path):
    made = quantized(text)
    files = vq.export(made, tmp_path / "small.onnx", opset=opset, form="integer")
    for file in files:
        onnx.checker.check_model(onnx.load(file), full_check=True)
    largest, sqnr = run(made, files, moving_frames(36)[29:])
    # What is not whole numbers, such as a sigmoid, rounds otherwise; where features do, codes flip.
    assert largest < 2e-5 or ("qpp" in text and sqnr > 60)


@pytest.mark.parametrize("text", SCHEMES[::2])
def test_qdq_gives_the_simulation_s_values_but_for_codes_on_the_verge(text, tmp_path):
    made = quantized(text)
    files = vq.export(made, tmp_path / "small.onnx", form="qdq")
    for file in files:
        onnx.checker.check_model(onnx.load(file), full_check=True)
    assert run(made, files, moving_frames(36)[29:])[1] > 35


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")
@given(networks(), st.sampled_from(["w8a8", "w8a8->w4a4 T=3 recurrent", "w4a8 qpp"]), st.integers(0, 10**6))
def test_random_networks(tmp_path_factory, network, text, seed):
    generator = torch.Generator().manual_seed(seed)
    frames = [torch.randn(1, 3, *network.size, generator=generator) for _ in range(24)]
    made = vq.quantize(network, text, frames[:20])
    files = vq.export(made, tmp_path_factory.mktemp("random") / "random.onnx", form="integer")
    # Runtimes round hard-swish and features otherwise than PyTorch, which moves codes that lie on the verge.
    rounds = "qpp" in text or any(node.op == "hardswish" for node in network.nodes)
    assert run(made, files, frames[20:])[1] > (20 if rounds else 100)


def test_values_between_two_codes_go_where_the_simulation_s_go(tmp_path):
    made = quantized("w8a8")
    grid = made.grids[made.points["stem"]].key.fixed
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(grid.low, grid.high, (1, 3, *made.network.size), generator=generator)
    between = (codes + 0.5 - grid.zero_point).float() * grid.scale
    files = vq.export(made, tmp_path / "small.onnx", form="integer")
    assert run(made, files, [torch.nextafter(between, torch.tensor(end)) for end in (-9.0, 9.0)])[1] > 100
    assert run(made, files, [between])[1] > 100


def test_layers_keep_their_names_and_weights_are_codes(tmp_path):
    made = quantized("w4a8")
    for opset, kind in ((20, onnx.TensorProto.INT8), (21, onnx.TensorProto.INT4)):
        (file,) = vq.export(made, tmp_path / "small.onnx", opset=opset)
        graph = onnx.load(file).graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        nodes = {node.name: node for node in graph.node}
        for layer, weights in made.weights.items():
            assert nodes[layer].op_type in ("Conv", "Gemm", "ConvTranspose")
            codes = tensors[f"{layer}.weight.codes"]
            if weights.key.bits == 4:
                assert codes.data_type == kind
            np.testing.assert_array_equal(
                onnx.numpy_helper.to_array(codes).astype(np.int8), weights.key.codes.numpy()
            )


def test_of_a_residual_scheme_the_state_goes_from_file_to_file(tmp_path):
    key, residual = vq.export(quantized("w8a8->w4a4 T=3 recurrent always-residual"), tmp_path / "small.onnx")
    assert (key.name, residual.name) == ("small.key.onnx", "small.residual.onnx")
    given = {value.name for value in onnx.load(key).graph.output if is_state(value.name)}
    taken = {value.name for value in onnx.load(residual).graph.input if is_state(value.name)}
    moved = {value.name for value in onnx.load(residual).graph.output if is_state(value.name)}
    assert given == taken == {name.removeprefix("next/") for name in moved} != set()
    session = onnxruntime.InferenceSession(residual, providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="state/"):  # ONNX Runtime names what is missing
        session.run(None, {session.get_inputs()[0].name: moving_frames(1)[0].numpy()})


def test_what_is_compared_is_said(tmp_path):
    made = quantized("w8a8")
    found = check(made, vq.export(made, tmp_path / "small.onnx", form="integer"), moving_frames(4))
    assert found.frames == 4
    assert found.sqnr > 90
    assert 0 < found.integer <= found.convolutions
    with pytest.raises(vq.DataError, match="no frame"):
        check(made, vq.export(made, tmp_path / "small.onnx"), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w8a8 regions block=8", "regions have no form in ONNX"),
        ("w8a8->w4a8 T=3 adaptive tau=2", "tau=0"),
        ("w8a8 dynamic", "mse measures on each frame have no form in ONNX; minmax and quantile have"),
    ],
)
def test_schemes_without_a_form_are_refused(text, message, tmp_path):
    with pytest.raises(vq.SchemeError, match=message):
        vq.export(quantized(text), tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())


def test_an_opset_that_is_too_old_or_unknown_is_refused(tmp_path):
    for opset in (13, 99):
        with pytest.raises(vq.SchemeError, match=f"opset {opset}: files are written for opset 20 to"):
            vq.export(quantized("w8a8"), tmp_path / "small.onnx", opset=opset)


def test_of_two_files_both_are_written_or_none(tmp_path):
    (tmp_path / "small.residual.onnx").mkdir()
    with pytest.raises(vq.OutputError):
        vq.export(quantized("w8a8->w4a4 T=3"), tmp_path / "small.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["small.residual.onnx"]


def test_only_quantized_networks_are_exported(tmp_path):
    with pytest.raises(vq.NetworkError, match="quantize it first"):
        vq.export(small_network(), tmp_path / "small.onnx")
