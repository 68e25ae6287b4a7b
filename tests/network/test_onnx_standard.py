"""The ONNX standard's own node tests, with their first input as what flows: no wrong result, no traceback.

    python -m tests.network.test_onnx_standard

lists what is refused, by operator.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from videoquant.errors import NetworkError
from videoquant.network.node_json import check_frame, read_nodes
from videoquant.network.onnx_reader import read_onnx

FLOAT = TensorProto.FLOAT
# A cut size is aligned by its own corners, as ONNX Runtime does, and not by those of the size before the cut.
OTHERWISE = (
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
)


def cases() -> Iterator[tuple[str, onnx.ModelProto, np.ndarray, list[np.ndarray]]]:
    """Name, file, input and outputs of each case that begins with floats; its other inputs are constants."""
    for case in load_model_tests(kind="node"):
        if case.model is None or not case.data_sets or case.name in OTHERWISE:
            continue
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        given = [value for value in model.graph.input if value.type.HasField("tensor_type")]
        kinds = {value.type.tensor_type.elem_type for value in (*given[:1], *model.graph.output)}
        if len(given) != len(model.graph.input) or not given or kinds != {FLOAT}:
            continue
        inputs, outputs = ([np.asarray(array) for array in part] for part in case.data_sets[0])
        if inputs[0].size == 0 or len(inputs) != len(given):
            continue
        for value, array in list(zip(given, inputs, strict=True))[1:]:
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
        if inputs[0].ndim != 4:
            _as_picture(model, inputs[0].shape)
        yield case.name, model, inputs[0], outputs


def _as_picture(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    """The input comes in as a row of pixels, and a reshape gives it its own shape."""
    name = model.graph.input[0].name
    model.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("image", FLOAT, (1, 1, 1, int(np.prod(shape))))
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), "its own shape"))
    model.graph.node.insert(
        0, helper.make_node("Reshape", ["image", "its own shape"], [name], name="as given")
    )


def outcome(model: onnx.ModelProto, x: np.ndarray, expected: list[np.ndarray], folder: Path) -> str:
    """ "same", "refused", or what is wrong."""
    onnx.save(model, folder / "case.onnx")
    try:
        network = read_onnx(folder / "case.onnx")
        image = torch.from_numpy(np.array(x, np.float32).reshape(x.shape if x.ndim == 4 else (1, 1, 1, -1)))
        with torch.no_grad():
            got = list(network.run(image).values())
    except NetworkError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:  # the very thing that is looked for
        return f"{type(error).__name__}: {error}"
    try:  # what was read can be written and opened again
        read_nodes(json.loads(json.dumps([asdict(node) for node in network.nodes])), "case")
        check_frame(network, "case")
    except Exception as error:
        if any(right.size == 0 for right in expected):  # no frame gives nothing
            return "same"
        return f"its own file does not open: {error}"
    for mine, right in zip(got, expected, strict=True):
        if tuple(mine.shape) != right.shape:
            return f"shape {tuple(mine.shape)} in place of {right.shape}"
        if not np.allclose(mine.numpy(), right, rtol=1e-3, atol=1e-5, equal_nan=True):
            return f"other numbers, by {float(np.abs(mine.numpy() - right).max()):.3g}"
    return "same"


def sweep(folder: Path) -> tuple[Counter[str], list[str], int]:
    """How often each operator is refused, what is wrong, and how many are right."""
    refused: Counter[str] = Counter()
    wrong, right = [], 0
    for name, model, x, outputs in cases():
        what = outcome(model, x, outputs, folder)
        operator = model.graph.node[-1].op_type
        right += what == "same"
        if what == "refused":
            refused[operator] += 1
        elif what != "same":
            wrong.append(f"{name} ({operator}): {' '.join(what.split())[:200]}")
    return refused, wrong, right


@pytest.mark.filterwarnings("ignore")
def test_no_case_of_the_standard_is_computed_wrongly(tmp_path: Path) -> None:
    _, wrong, right = sweep(tmp_path)
    assert not wrong
    assert right > 300


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        refused, wrong, right = sweep(Path(temporary))
    print(f"{right} right, {sum(refused.values())} refused, {len(wrong)} wrong")
    print("\n".join(wrong))
    print(", ".join(f"{operator} {count}" for operator, count in refused.most_common()))
