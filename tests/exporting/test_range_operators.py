"""Grids that ONNX operators compute from a range are those of the estimators, to the last bit."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from videoquant.exporting.quantized_graph_builder import QuantizedGraphBuilder
from videoquant.exporting.range_operators import grid_of_range
from videoquant.network.graph import Node
from videoquant.ranges.estimators import MinMax, Threshold

CASES = [
    (estimator, bits, symmetric)
    for estimator in (MinMax(), Threshold(0.01))
    for bits in (2, 4, 8)
    for symmetric in (False, True)
]


def session(estimator, bits, symmetric, integer):
    sheet = QuantizedGraphBuilder("grid", 20, integer)
    sheet.begin(Node("x", "quantize"), [], (), "")
    grid = grid_of_range(sheet, "low", "high", estimator, bits, symmetric)
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, []) for name in ("low", "high")]
    code = TensorProto.UINT8 if integer or not symmetric else TensorProto.INT8
    results = [
        helper.make_tensor_value_info(grid.scale, TensorProto.FLOAT, []),
        helper.make_tensor_value_info(grid.zero, code, []),
    ]
    zero = next(tensor for tensor in [*sheet.tensors, None] if tensor is None or tensor.name == grid.zero)
    if zero is not None:  # a constant is no node's output
        sheet.nodes.append(helper.make_node("Identity", [grid.zero], ["zero"], name="zero"))
        results[1] = helper.make_tensor_value_info("zero", code, [])
    graph = helper.make_graph(sheet.nodes, "grid", ends, results, sheet.tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize(("estimator", "bits", "symmetric"), CASES, ids=str)
def test_grids_are_the_estimator_s(estimator, bits, symmetric, integer):
    runtime = session(estimator, bits, symmetric, integer)

    @settings(deadline=None, max_examples=60)
    @given(st.floats(-1e4, 0, width=32), st.floats(2**-10, 1e4, width=32))
    def check(low, high):
        low = -high if symmetric else low
        expected = estimator.grid((low, high), bits, symmetric)
        scale, zero = runtime.run(None, {"low": np.array(low), "high": np.array(high)})
        assert (float(scale), int(zero) - (128 if integer and symmetric else 0)) == (
            expected.scale,
            expected.zero_point,
        )

    check()


def test_four_bits_are_packed_as_onnx_reads_them():
    sheet = QuantizedGraphBuilder("codes", 21, False)
    sheet.begin(Node("layer", "conv2d"), [], (), "")
    codes = torch.tensor([[-7, -1, 0], [3, 7, -4]], dtype=torch.int8)
    for part in (codes, codes[:, :1], codes.flatten()[:5]):
        sheet.whole(part, 4, "codes")
        np.testing.assert_array_equal(
            onnx.numpy_helper.to_array(sheet.tensors[-1]).astype(np.int8), part.numpy()
        )
