"""ONNX operators in forms that have rules of their own give what ONNX Runtime does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from tests.network.onnx_files import (
    ASYMMETRIC,
    DOUBLE,
    KERNEL,
    LINEAR,
    LOWER,
    RANDOM,
    SIZES,
    UPPER,
    Case,
    check,
    floats,
    ints,
    model,
    save,
    scalar,
)
from videoquant.errors import NetworkError
from videoquant.network.onnx_reader import read_onnx

# Forms whose rule a random draw may miss; every operator is drawn in test_operator_sweep.py.
CASES = [
    Case("Conv", [floats(5, 4, 4, 3)], {"strides": [2, 2], **UPPER}),
    Case("Conv", [floats(5, 4, 4, 3)], {"strides": [3, 2], **LOWER}),
    Case("ConvTranspose", [floats(4, 3, 4, 4)], {"strides": [2, 2], **UPPER}),
    Case("ConvTranspose", [floats(4, 3, 3, 4), floats(3)], {"strides": [2, 3], **LOWER}),
    Case("ConvTranspose", [floats(4, 3, 3, 3)], {"strides": [2, 2], "output_shape": [12, 15]}),
    Case("Gemm", [floats(5, 7), floats(6, 5)], {"transB": 1, "beta": 0.5}, (1, 1, 6, 7), before="Squeeze"),
    Case("Gemm", [floats(5, 168), floats(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}, before="Flatten"),
    Case("Gemm", [floats(168, 5), floats(1)], before="Flatten"),
    Case("Softmax", [], {"axis": -1}, opset=11),
    Case("MaxPool", [], {**KERNEL, "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    Case("MaxPool", [], {**KERNEL, "strides": [2, 2], **UPPER}),
    Case("MaxPool", [], {**KERNEL, "strides": [2, 3], "pads": [0, 1, 1, 0], "ceil_mode": 1}),
    Case("GlobalMaxPool", shape=(3, 1, 5, 6), before="Squeeze"),
    Case("GlobalAveragePool", shape=(3, 1, 5, 6), before="Squeeze"),
    Case("ReduceMean", [ints(2, -1)], {"keepdims": 0}),
    Case("Resize", [None, DOUBLE], {**ASYMMETRIC, "nearest_mode": "floor"}),
    Case("Resize", [None, DOUBLE]),
    Case("Resize", [None, None, SIZES], {**ASYMMETRIC, "nearest_mode": "floor"}),
    Case("Resize", [None, None, SIZES], LINEAR),
    Case("Resize", [None, None, ints(11, 9)], {**LINEAR, "axes": [2, 3]}),
    Case("Resize", [None, DOUBLE], {**LINEAR, "coordinate_transformation_mode": "align_corners"}),
    Case("Resize", [None, DOUBLE], {**LINEAR, "coordinate_transformation_mode": "pytorch_half_pixel"}),
    Case("Resize", [None, np.array([1, 1, 1.6, 1.3], np.float32)], LINEAR),
    Case("Resize", [None, np.array([1, 1, 7 / 6, 9 / 7], np.float32)], LINEAR),
    Case("Resize", [None, np.array([1, 1, 2.3, 2.1], np.float32)], LINEAR, (1, 2, 10, 10)),
    Case("Resize", [DOUBLE], opset=10),
    Case("Upsample", [DOUBLE], opset=9),
    Case("Pad", [ints(0, 0, 2, 0, 0, 0, 1, 1)], {"mode": "reflect"}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.op}-{case.attributes}" for case in CASES])
def test_operator_computes_what_onnx_runtime_does(case: Case, tmp_path: Path) -> None:
    check(case.model(), tmp_path)


SCALE = np.linspace(0.005, 0.02, 5, dtype=np.float32)


@pytest.mark.parametrize("opset", [10, 11, 13, 17, 18, 19, 21])
def test_weights_kept_as_int8_are_those_that_they_stand_for(opset: int, tmp_path: Path) -> None:
    q = RANDOM.integers(-127, 128, (5, 4, 3, 3)).astype(np.int8)
    per_axis = opset >= 13
    scale, zero = (SCALE, np.arange(5, dtype=np.int8)) if per_axis else (SCALE[0], np.array(3, np.int8))
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], **({"axis": 0} if per_axis else {})),
        helper.make_node("Conv", ["image", "w"], ["y"], name="conv"),
    ]
    check(model(nodes, {"q": q, "s": np.asarray(scale), "z": zero}, ["y"], opset=opset), tmp_path)


@pytest.mark.parametrize(("to", "dtype"), [("FLOAT16", torch.float16), ("BFLOAT16", torch.bfloat16)])
def test_a_cast_to_fewer_bits_rounds(to: str, dtype: torch.dtype, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["a"], to=TensorProto.DataType.Value(to)),
        helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT),
    ]
    network = read_onnx(save(model(nodes, {}, ["y"], (1, 1, 1, 4)), tmp_path))
    x = torch.tensor([[[[1.0001, 70000.0, 1e-9, 3.14159265]]]])
    assert torch.equal(network(x), x.to(dtype).float())


def test_an_if_is_the_branch_that_its_condition_says(tmp_path: Path) -> None:
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        value = helper.make_tensor_value_info(f"{op} out", TensorProto.FLOAT, None)
        node = helper.make_node(op, ["image"], [f"{op} out"])
        branches[name] = helper.make_graph([node], name, [], [value])
    chosen = helper.make_node("If", ["yes"], ["y"], **branches)
    network = check(model([chosen], {"yes": np.array(True)}, ["y"], (1, 3, 4, 4)), tmp_path)
    assert [node.op for node in network.nodes] == ["clamp"]
    sign = [helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0)]
    sign += [helper.make_node("Greater", ["most", "half"], ["yes"]), chosen]
    with pytest.raises(NetworkError, match="its condition is computed at run time"):
        read_onnx(save(model(sign, {"half": scalar(0.5)}, ["y"], (1, 3, 4, 4)), tmp_path))
