"""Engines that know no states run files whose states are inputs and outputs."""

import numpy as np
import onnx
import pytest
import torch

from tests.networks import small_network
from tests.stateful import onnx_runtime_over, stateful_network
from videoquant.bench import engines, openvino_engine
from videoquant.bench.carried import FileNames, samples_of
from videoquant.calibration.sampling import LEAD
from videoquant.network.float_stream import FloatStream
from videoquant.network.onnx_writer import NEXT, state_names, write_onnx
from videoquant.schemes import Scheme

FRAMES = LEAD + 3


@pytest.fixture(scope="module")
def network():
    return stateful_network()


@pytest.fixture(scope="module")
def inputs():
    return list(torch.rand(FRAMES, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def expected(network, inputs):
    stream = FloatStream(network)
    return [stream.feed(x) for x in inputs]


def build(engine, network, inputs, folder):
    given = engines.BenchmarkSpec(network, [inputs], Scheme.parse("w8a8"), ("frame", "exact"), 1, folder)
    return engines.build([engine], given)


def check(network, configs, inputs, expected):
    """fp32 gives the stream's outputs to rounding; int8 is near them, on the last frame as on the first."""
    (output,) = network.outputs
    for config in configs:
        runner = config.open()
        for x, right in zip(inputs, expected, strict=True):
            outputs = runner.run(x.contiguous(memory_format=runner.layout))
            assert list(outputs) == [output]
            distance = (outputs[output] - right[output]).norm() / right[output].norm()
            assert distance < (1e-6 if config.precision == "fp32" else 0.1), (config.label, float(distance))
        without = FloatStream(network).feed(inputs[-1])  # what the last frame gives where states are lost
        assert (outputs[output] - without[output]).norm() / without[output].norm() > 0.1


def test_samples_are_the_inputs_of_the_file_with_the_states_of_floating_point(network, inputs, tmp_path):
    samples = samples_of(network, inputs)
    assert len(samples) == FRAMES - LEAD
    write_onnx(network, tmp_path / "net.onnx")
    names = state_names(network)
    zeros = {names[state]: np.zeros(network.shapes[state], np.float32) for state in network.states}
    fed = {name: NEXT + name for name in zeros}
    found = onnx_runtime_over(tmp_path / "net.onnx", inputs, network.input, fed, zeros)
    for place, sample in zip(range(LEAD, FRAMES), samples, strict=True):
        assert sample.keys() == {network.input, *zeros}
        assert np.array_equal(sample[network.input], inputs[place].numpy())
        for name, output in fed.items():
            assert sample[name] == pytest.approx(found[place - 1][output], abs=1e-5)


def test_a_short_run_gives_its_last_frame_and_without_states_all_calibrate(network, inputs):
    assert len(samples_of(network, inputs[:3])) == 1
    (first,) = samples_of(network, inputs[:1])
    assert all(not first[name].any() for name in state_names(network).values())
    plain = small_network(16)
    assert [sample.keys() for sample in samples_of(plain, inputs)] == [{plain.input}] * FRAMES


def test_onnx_runtime(network, inputs, expected, tmp_path):
    pytest.importorskip("onnxruntime")
    configs = build("onnxruntime", network, inputs, tmp_path)
    check(network, configs, inputs, expected)


def test_openvino(network, inputs, expected, tmp_path):
    for package in openvino_engine.QUANTIZER:
        pytest.importorskip(package)
    check(network, build("openvino", network, inputs, tmp_path), inputs, expected)


def test_our_own(network, inputs, expected, tmp_path):
    configs = build("videoquant", network, inputs, tmp_path)
    check(network, configs, inputs, expected)
    whole, exact = (config.open() for config in configs)
    for x in inputs:
        x = x.contiguous(memory_format=torch.channels_last)
        outputs = whole.run(x)
        assert all(torch.equal(y, outputs[name]) for name, y in exact.run(x).items())


def test_names_are_those_of_the_file_in_its_order(network, tmp_path):
    write_onnx(network, tmp_path / "net.onnx")
    graph, names = onnx.load(tmp_path / "net.onnx").graph, FileNames.of(network)
    assert names.inputs == [value.name for value in graph.input]
    assert names.outputs == [value.name for value in graph.output]
    assert {name: y.shape for name, y in names.first_states().items()} == names.shapes
