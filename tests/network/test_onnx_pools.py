"""Pools and slices whose windows lie where runtimes differ are refused, those beside them are not."""

import numpy as np
import pytest
import torch
from onnx import helper

from tests.network.onnx_files import Case, check, ints, model, save
from videoquant.errors import NetworkError
from videoquant.network.onnx_reader import read_onnx

WIDE = {"kernel_shape": [2, 2], "dilations": [6, 1]}  # taps 6 rows apart


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((1, 2, 4, 5), WIDE | {"pads": [1, 0, 3, 0]}),  # rows −1 and 5 of 4
        (
            (1, 2, 9, 1),
            {"kernel_shape": [4, 2], "strides": [2, 2], "dilations": [3, 2], "pads": [2, 1, 2, 1]},
        ),
        ((1, 2, 2, 9), {"kernel_shape": [2, 4], "dilations": [3, 1], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ],
)
def test_a_dilated_window_of_padding_alone_is_refused(shape, attributes, tmp_path):
    case = Case("MaxPool", attributes=attributes, shape=shape)
    with pytest.raises(NetworkError, match=r"'the_node'.*see nothing but padding"):
        read_onnx(save(case.model(), tmp_path))


def test_a_dilated_window_with_one_tap_in_the_image_is_read(tmp_path):
    near = {"kernel_shape": [2, 2], "dilations": [3, 1], "pads": [1, 0, 1, 0]}  # rows −1 and 2, 1 and 4 of 4
    check(Case("MaxPool", attributes=near, shape=(1, 2, 4, 5)).model(), tmp_path)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("where", ["SAME_UPPER", "SAME_LOWER"])
def test_same_padding_may_leave_out_one_pixel_and_no_more(op, where, tmp_path):
    known = {"kernel_shape": [1, 1], "strides": [2, 2], "auto_pad": where}
    network = read_onnx(save(Case(op, attributes=known, shape=(1, 2, 6, 8)).model(), tmp_path))
    x = torch.rand(1, 2, 6, 8)
    assert torch.equal(network.run(x)["out0"], x[..., ::2, ::2])
    case = Case(op, attributes=known | {"strides": [3, 1]}, shape=(1, 2, 6, 8))
    with pytest.raises(NetworkError, match=r"'the_node'.*leaves out pixels"):
        read_onnx(save(case.model(), tmp_path))


@pytest.mark.parametrize(("start", "refused"), [(-4, True), (-3, False), (5, False)])
def test_a_constant_is_sliced_backwards_from_within_it(start, refused, tmp_path):
    nodes = [
        helper.make_node("Slice", ["c", "start", "end", "axis", "step"], ["part"], name="the_node"),
        helper.make_node("Add", ["image", "part"], ["out"]),
    ]
    constants = {
        "c": np.arange(3, dtype=np.float32), "start": ints(start), "end": ints(-(2**63)),
        "axis": ints(0), "step": ints(-2 if start == 5 else -3),
    }  # fmt: skip
    proto = model(nodes, constants, ["out"], shape=(1, 4, 6, 2 if start == 5 else 1))
    if refused:
        with pytest.raises(NetworkError, match=r"'the_node'.*backwards from before"):
            read_onnx(save(proto, tmp_path))
    else:
        check(proto, tmp_path)
