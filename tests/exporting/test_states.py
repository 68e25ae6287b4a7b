"""Networks with states in files: read back as they were, and run elsewhere as they are simulated."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import videoquant as vq
from tests.networks import moving_frames
from tests.stateful import stateful_network
from videoquant.errors import NetworkError
from videoquant.exporting import export
from videoquant.exporting.check import check
from videoquant.exporting.exported_stream import ExportedStream
from videoquant.network.float_stream import FloatStream
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.onnx_writer import write_onnx


@pytest.fixture(scope="module")
def network():
    return stateful_network()


def test_a_network_is_written_with_inputs_that_outputs_feed(network, tmp_path):
    write_onnx(network, tmp_path / "net.onnx")
    read = read_onnx(tmp_path / "net.onnx")
    assert read.states.keys() == network.states.keys()
    assert list(read.outputs) == ["output"]
    ours, theirs = FloatStream(network), FloatStream(read)
    for x in moving_frames(5):
        torch.testing.assert_close(theirs.feed(x)["output"], ours.feed(x)["output"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8 qpp at=input"])
def test_onnx_runtime_carries_states_as_the_simulation_does(network, text):
    frames = moving_frames(24)
    quantized = vq.quantize(network, text, frames)
    simulation, runtime = quantized.stream(), ExportedStream(quantized, "onnxruntime", 1)
    for x in frames[:8]:
        wanted = simulation.run(x)["output"]
        error = (runtime.run(x)["output"] - wanted).abs().max() / wanted.abs().max()
        assert float(error) < 0.02


def test_a_quantized_file_is_read_with_its_states(network, tmp_path):
    frames = moving_frames(24)
    quantized = vq.quantize(network, "w8a8", frames)
    (file,) = export(quantized, tmp_path / "net.onnx")
    assert check(quantized, [file], frames[:6]).sqnr > 30
    read, ours = vq.load_quantized(file), quantized.stream()
    assert read.network.states.keys() == network.states.keys()
    theirs = read.stream()
    for x in frames[:6]:
        wanted = ours.run(x)["output"]
        assert float((theirs.run(x)["output"] - wanted).abs().max() / wanted.abs().max()) < 0.02


def test_what_is_saved_is_loaded_with_its_states(network, tmp_path):
    frames = moving_frames(12)
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", frames)
    vq.save(quantized, tmp_path / "net.vq")
    ours, theirs = quantized.stream(), vq.load_quantized(tmp_path / "net.vq").stream()
    for x in frames:
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"h": "conv"}, "its states are not its nodes of the operator state"),
        ({"h": "nothing"}, "state 'h' becomes 'nothing', which does not exist"),
        ({"last": "h"}, "state 'last' and 'h', which it becomes, differ in shape"),
    ],
)
def test_a_damaged_file_is_refused(network, states, message, tmp_path):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8", moving_frames(12)), path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["videoquant"])
    header["network"]["states"] = states if "operator" in message else header["network"]["states"] | states
    save_file(tensors, path, {"format": "videoquant", "videoquant": json.dumps(header)})
    with pytest.raises(NetworkError, match=message) as caught:
        vq.load_quantized(path)
    assert "\n" not in str(caught.value)
