"""The shapes of operators without computing: those of what is computed, at no cost of PyTorch's compiler."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.network.onnx_files import floats, ints, model, save
from tests.operators import ZOO, captured
from videoquant.network.operators import OPERATORS, on_meta


@pytest.mark.parametrize("module", ZOO, ids=lambda module: module.__name__)
def test_every_value_has_the_shape_that_is_said(module):
    network = captured(module)
    computed = {network.input: network.input_shape}

    def compute(node, inputs):
        y = network.apply(node, inputs)
        computed[node.name] = tuple(y.shape)
        return y

    with torch.no_grad():
        network.run(torch.rand(network.input_shape), compute)
    assert network.shapes == computed


SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=4)
ATTRIBUTES = {
    "concat": st.fixed_dictionaries({"dim": st.integers(-4, 4)}),
    "mean": st.fixed_dictionaries({"dims": st.lists(st.integers(-4, 4)), "keepdim": st.booleans()}),
    "adaptive_avg_pool2d": st.fixed_dictionaries(
        {"size": st.lists(st.integers(1, 3), min_size=2, max_size=2)}
    ),
    "resize": st.fixed_dictionaries(
        {"mode": st.sampled_from(["bilinear", "bicubic", "nearest", "cubic"])},
        optional={
            "size": st.lists(st.integers(1, 5), min_size=1, max_size=3),
            "scale": st.lists(st.sampled_from([0.25, 0.5, 1.5, 2.0]), min_size=1, max_size=3),
        },
    ),
    "clamp": st.fixed_dictionaries({}, optional={"min": st.just(0.0), "max": st.just(6.0)}),
    "add": st.just({}),
    "where": st.just({}),
    "prelu": st.just({}),
    "affine": st.just({}),
}
READS = {"concat": 3, "add": 2, "where": 3}
TENSORS = {"prelu": ["weight"], "affine": ["weight", "bias"]}


@given(st.sampled_from(list(ATTRIBUTES)), st.data())
def test_what_runs_has_its_shape_and_what_cannot_run_is_refused(op, data):
    shape = data.draw(SHAPES)
    inputs = [torch.rand(data.draw(st.just(shape) | SHAPES) if i else shape) for i in range(READS.get(op, 1))]
    tensors = {name: torch.rand(data.draw(st.integers(1, 3))) for name in TENSORS.get(op, ())}
    attributes = data.draw(ATTRIBUTES[op])
    meta = [x.to("meta") for x in inputs], {name: t.to("meta") for name, t in tensors.items()}
    try:
        y = OPERATORS[op](*inputs, **tensors, **attributes)
    except Exception:
        with pytest.raises(Exception):  # noqa: B017
            on_meta(op, *meta, attributes)
    else:
        said = on_meta(op, *meta, attributes)
        assert said.shape == y.shape and said.device.type == "meta" and said.dtype == y.dtype


LOADS = """
import sys, videoquant as vq
assert vq.load(sys.argv[1]).outputs
assert "torch._dynamo" not in sys.modules
"""


def test_a_file_is_read_without_the_compiler_of_pytorch(tmp_path):
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "weight"], ["a"]),
        node("PRelu", ["a", "slope"], ["b"]),
        node("Add", ["a", "b"], ["c"]),
        node("Concat", ["c", "b"], ["d"], axis=1),
        node("Resize", ["d", "", "scales"], ["e"], mode="linear"),
        node("HardSwish", ["e"], ["f"]),
        node("GlobalAveragePool", ["f"], ["g"]),
        node("Mul", ["f", "g"], ["h"]),
        node("ReduceMean", ["h", "axes"], ["i"], keepdims=0),
        node("Gemm", ["i", "matrix", "bias"], ["y"]),
    ]
    scales = np.array([1, 1, 2, 2], dtype=np.float32)
    constants = {
        "weight": floats(4, 4, 1, 1),
        "slope": floats(4, 1, 1),
        "scales": scales,
        "matrix": floats(8, 5),
        "bias": floats(5),
        "axes": ints(2, 3),
    }
    path = save(model(nodes, constants, ["y"]), tmp_path)
    subprocess.run([sys.executable, "-c", LOADS, str(path)], check=True)
