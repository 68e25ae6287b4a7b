"""`load`: networks by name, with their weights and size."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from safetensors.torch import save_file

import videoquant as vq
from videoquant.models import weights


@pytest.fixture(scope="module")
def espcn(tmp_path_factory: pytest.TempPathFactory) -> tuple[vq.models.Model, Path]:
    """A network with random weights and their file."""
    model = vq.models.create("espcn_x3")
    path = tmp_path_factory.mktemp("weights") / "espcn_x3_bsd68.safetensors"
    save_file(model.state_dict(), path)
    return model, path


def test_a_name_gives_the_captured_network(espcn: tuple[vq.models.Model, Path]) -> None:
    model, path = espcn
    network = vq.load("espcn_x3", checkpoint=path, size=(12, 16))
    assert network.name == "espcn_x3" and network.input_shape == (1, 1, 12, 16)
    assert network.preprocessing == model.config.preprocessing
    x = torch.rand(1, 1, 12, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(x), model(x))


def test_without_a_checkpoint_the_shipped_weights_are_taken(
    espcn: tuple[vq.models.Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = espcn
    monkeypatch.setattr(weights, "FOLDER", path.parent)
    x = torch.rand(1, 1, *model.config.size)
    with torch.no_grad():
        torch.testing.assert_close(vq.load("espcn_x3")(x), model(x))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(vq.NetworkError, match="videoquant train espcn_x3 --dataset"):
        vq.load("espcn_x3")


def test_the_number_of_classes_is_the_checkpoint_s(tmp_path: Path) -> None:
    save_file(vq.models.create("resnet18", num_classes=7).state_dict(), tmp_path / "r.safetensors")
    network = vq.load("resnet18", checkpoint=tmp_path / "r.safetensors", size=(32, 48))
    assert network.shapes[network.outputs["output"]] == (1, 7)
    with pytest.raises(vq.NetworkError, match="does not fit"):
        vq.load("resnet18", checkpoint=tmp_path / "r.safetensors", num_classes=8)


@pytest.mark.parametrize("option", [{"checkpoint": "a.pth"}, {"num_classes": 3}])
def test_a_file_has_its_own_weights(option: dict[str, object]) -> None:
    with pytest.raises(vq.NetworkError, match=f"^selfie_segmentation: {next(iter(option))} is for"):
        vq.load("selfie_segmentation", **option)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 8), (8, 8193), (-1, 8)])
def test_a_size_out_of_bounds(size: tuple[int, int], espcn: tuple[vq.models.Model, Path]) -> None:
    with pytest.raises(vq.NetworkError, match=f"size is {size[0]}×{size[1]}; each side must be 1 to 8192"):
        vq.load("espcn_x3", checkpoint=espcn[1], size=size)


def strided(path: Path, height: int = 64) -> Path:
    """A file that takes what 32 divides: a sum of its input and one that came through a stride of 32.

    height: of the input, 0 for any size; other files take their own alone.
    """
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Add", ["image", "large"], ["sum" if height else "y"]),
    ]
    if height:
        nodes.append(helper.make_node("Reshape", ["sum", "shape"], ["y"]))
    values = [onnx.numpy_helper.from_array(np.array([1, 1, 32, 32], np.float32), "scales")]
    values.append(onnx.numpy_helper.from_array(np.array([1, 3, height, 64], np.int64), "shape"))
    sides = [height, 64] if height else ["h", "w"]
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, *sides]) for name in ("image", "y")
    )
    graph = helper.make_graph(nodes, "strided", [x], [y], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_size_that_strides_do_not_divide_is_said_with_one_that_they_do(tmp_path: Path) -> None:
    path = strided(tmp_path / "any.onnx", height=0)
    assert vq.load(path, size=(96, 64)).size == (96, 64)
    words = "takes no input of 90×64, but one of 96×64: its strides need sides that 32 divides"
    with pytest.raises(vq.NetworkError, match=words):
        vq.load(path, size=(90, 64))
    own = strided(tmp_path / "own.onnx")
    assert vq.load(own).size == (64, 64)
    for size in ((90, 64), (96, 64)):
        with pytest.raises(
            vq.NetworkError, match=f"takes no input of {size[0]}×64, but one of 64×64, its file's"
        ):
            vq.load(own, size=size)


def test_a_name_that_is_nearly_one() -> None:
    with pytest.raises(vq.NetworkError, match=r"^DDRNet-23-slm: no such file.*did you mean ddrnet23_slim"):
        vq.load("DDRNet-23-slm")
    with pytest.raises(
        vq.NetworkError, match=r"networks by name are selfie_segmentation, centerface, resnet18"
    ):
        vq.load("zzz.onnx")
