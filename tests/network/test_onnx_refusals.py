"""What is refused of ONNX files, and why, in one line."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.network.onnx_files import (
    ASYMMETRIC,
    DOUBLE,
    KERNEL,
    LINEAR,
    NORM,
    UPPER,
    Case,
    floats,
    ints,
    model,
    save,
    scalar,
)
from videoquant.errors import NetworkError
from videoquant.network.onnx_reader import read_onnx

REFUSED = {
    "operator LRN is not supported; supported are Abs, Add, And,": Case("LRN", [], {"size": 3}),
    "it must be below strides or dilations": Case(
        "ConvTranspose", [floats(4, 2, 2, 2)], {"output_padding": [1, 1]}
    ),
    "strides is [0, 1]; it must be two": Case("Conv", [floats(4, 4, 3, 3)], {"strides": [0, 1], **UPPER}),
    "pads is [0, 0, 0, 0, 1]; it must be four": Case("MaxPool", [], {**KERNEL, "pads": [0, 0, 0, 0, 1]}),
    "a limit must be one number; it is []": Case("Clip", [floats(0), scalar(6)]),
    "it has 3 pads for 4 dimensions": Case("Pad", [ints(0, 0, 1)]),
    "starts, ends, axes and steps must be as many": Case("Slice", [ints(), ints(3), ints(1)]),
    "cannot have the shape [1, 5, -1]": Case("Reshape", [ints(1, 5, -1)]),
    "sizes [3, 3] do not make up a dimension of 4": Case("Split", [ints(3, 3)], {"axis": 1}, outputs=2),
    "axis 4 does not exist; there are 4": Case("Concat", [floats(1, 4, 6, 7)], {"axis": 4}),
    "its indices [4] are outside dimension 1 of 4": Case("Gather", [np.array(4)], {"axis": 1}),
    "it has 3 biases for 5 channels": Case("Conv", [floats(5, 4, 1, 1), floats(3)]),
    "a batch norm of 3 channels": Case("BatchNormalization", [array[:3] for array in NORM]),
    "its attribute alpha is nan": Case("LeakyRelu", [], {"alpha": float("nan")}),
    "kernel_shape is [2, 2], but its weights are of [3, 3]": Case(
        "Conv", [floats(5, 4, 3, 3)], {"kernel_shape": [2, 2]}
    ),
    "batch norm in training mode": Case("BatchNormalization", NORM, {"training_mode": 1}),
    "bias of layer 'c0' holds NaN or infinity": Case("Conv", [floats(1, 4, 1, 1), np.array([1e300])]),
    "uneven pads": Case("AveragePool", [], {**KERNEL, "pads": [0, 0, 1, 1]}),
    "resizing (6, 7) to (6, 14) by linear": Case(  # PyTorch copies a size that stays, ONNX Runtime does not
        "Resize", [None, np.array([1, 1, 1.05, 2], np.float32)], LINEAR
    ),
    "cubic resizing with a = -0.5": Case("Resize", [None, DOUBLE], {"mode": "cubic", "cubic_coeff_a": -0.5}),
    "linear / asymmetric / round_prefer_floor is not what": Case(
        "Resize", [None, DOUBLE], {**LINEAR, **ASYMMETRIC}
    ),
    "padding mode 'wrap'": Case("Pad", [ints(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "wrap"}, opset=19),
    "see nothing but padding": Case("MaxPool", [], {"kernel_shape": [1, 2], "pads": [1, 0, 0, 0]}),
    "step -1": Case("Slice", [ints(5), ints(0), ints(2), ints(-1)]),
    "input 'image' has a dynamic size": Case("Relu", shape=(1, 3, "h", "w")),
    "must be float or uint8, N×C×H×W or N×H×W×C; it is float of 2": Case("Relu", shape=(1, 3)),
    "asks for": Case("Relu", shape=(1, 2**31, 2**31, 2**20)),
    "weight of layer 'c0' holds NaN": Case("Conv", [np.full((1, 4, 1, 1), np.nan, np.float32)]),
    "not a valid ONNX file": Case("Relu", [], {"no_such_attribute": 1}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(message: str, tmp_path: Path) -> None:
    path = save(REFUSED[message].model(), tmp_path)
    with pytest.raises(NetworkError) as raised:
        read_onnx(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_missing_damaged_or_truncated_file_is_refused(tmp_path: Path) -> None:
    whole = Case("Conv", [floats(8, 4, 3, 3)]).model().SerializeToString()
    for content, message in [
        (None, "no such file"),
        (b"", "not a valid ONNX file"),
        (b"GIF89a, not a network", "not an ONNX file, or cut short"),
        (whole[: len(whole) // 2], "not an ONNX file, or cut short"),
    ]:
        path = tmp_path / "bad.onnx"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(NetworkError, match=message) as raised:
            read_onnx(path)
        assert "\n" not in str(raised.value)


def test_an_output_that_is_a_constant_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["image"], ["y"]), helper.make_node("Relu", ["c"], ["z"])]
    with pytest.raises(NetworkError, match="output 'z' is not computed from the input"):
        read_onnx(save(model(nodes, {"c": floats(3)}, ["y", "z"]), tmp_path))
