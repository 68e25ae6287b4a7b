"""Files that suppress boxes by themselves."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import videoquant as vq
from videoquant.engine import lower
from videoquant.tasks import task_for

BOXES, CLASSES = 24, 3


def suppressing(path: Path, given: dict[str, float | None], centres: int = 0) -> Path:
    """A layer that gives 24 boxes in shares of the input, one that scores three classes, and what follows."""
    rng = np.random.default_rng(0)
    tensors = {
        "boxes.weight": rng.normal(0, 0.1, (4 * BOXES, 3, 8, 8)).astype(np.float32),
        "scores.weight": rng.normal(0, 0.2, (CLASSES * BOXES, 3, 8, 8)).astype(np.float32),
        "as boxes": np.array([1, BOXES, 4]),
        "as scores": np.array([1, CLASSES, BOXES]),
        "most": np.array([100]),
        "column": np.array(2),
    } | {name: np.array([value], np.float32) for name, value in given.items() if value is not None}
    names = [name if given[name] is not None else "" for name in ("overlap", "score")]
    nodes = [
        helper.make_node("Conv", ["image", "boxes.weight"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Reshape", ["b", "as boxes"], ["boxes"]),
        helper.make_node("Conv", ["image", "scores.weight"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["d"]),
        helper.make_node("Reshape", ["d", "as scores"], ["scores"]),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", *names], ["chosen"],
                         name="suppress", center_point_box=centres),
        helper.make_node("Gather", ["chosen", "column"], ["numbers"], axis=1),
        helper.make_node("Gather", ["boxes", "numbers"], ["kept"], axis=1),
    ]  # fmt: skip
    outputs = [
        ("chosen", TensorProto.INT64, ("count", 3)),
        ("kept", TensorProto.FLOAT, (1, "count", 4)),
    ]
    graph = helper.make_graph(
        nodes,
        "suppressing",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("centres", [0, 1])
def test_the_task_keeps_the_boxes_that_the_file_keeps(centres, tmp_path):
    path = suppressing(tmp_path / "nms.onnx", {"overlap": 0.4, "score": 0.55}, centres)
    network = vq.load(path)
    assert {name: network.shapes[value] for name, value in network.outputs.items()} == {
        "all_boxes": (1, BOXES, 4),
        "all_scores": (1, BOXES, CLASSES),
    }
    task = task_for(network)
    assert (task.score, task.overlap, task.classes) == (pytest.approx(0.55), pytest.approx(0.4), CLASSES)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    chosen, _ = session.run(None, {"image": x.numpy()})
    outputs = network.run(x)
    found = task.found(outputs)
    boxes = outputs["all_boxes"][0].numpy()[:, [1, 0, 3, 2]] * 8  # TensorFlow's: top first, in shares
    boxes = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1
    )
    wanted = sorted((int(label), *boxes[box].round(3).tolist()) for _, label, box in chosen)
    assert len(wanted) > 5
    assert wanted == sorted(
        (int(label), *corners.round(3).tolist())
        for label, corners in zip(found.classes, found.corners, strict=True)
    )


def test_it_is_quantized_and_lowered_as_others_are(tmp_path):
    network = vq.load(suppressing(tmp_path / "nms.onnx", {"overlap": 0.4, "score": 0.55}))
    frames = [torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(8)]
    plan = lower(vq.quantize(network, "w8a8", frames))
    plan.save(tmp_path / "nms.plan")
    assert vq.load_plan(tmp_path / "nms.plan").task == task_for(network)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"overlap": None, "score": 0.5}, "its iou_threshold is left out; give one, --overlap"),
        ({"overlap": 0.5, "score": None}, "its score_threshold is left out; give one, --score"),
    ],
)
def test_without_a_threshold_it_is_refused_in_one_line(given, words, tmp_path):
    path = suppressing(tmp_path / "nms.onnx", given)
    with pytest.raises(vq.NetworkError) as error:
        vq.load(path)
    assert words in str(error.value)
    assert "'suppress'" in str(error.value)
    assert "\n" not in str(error.value)
    missing = "overlap" if given["overlap"] is None else "score"
    assert getattr(task_for(vq.load(path, preprocessing={missing: "0.3"})), missing) == 0.3


def moved_apart(path: Path, largest: str, step: float | None) -> Path:
    """Boxes in pixels, the best class of each, and its offset before one suppression of all classes.

    largest: the operator that finds a box's best class, "ArgMax" or "TopK".
    step: between the offsets of classes; None: the largest coordinate and one, as torchvision's batched_nms.
    """
    rng = np.random.default_rng(2)
    tensors = {
        "boxes.weight": rng.normal(0, 6, (4 * BOXES, 3, 8, 8)).astype(np.float32),
        "scores.weight": rng.normal(0, 0.2, (CLASSES * BOXES, 3, 8, 8)).astype(np.float32),
        "as boxes": np.array([BOXES, 4]),
        "as scores": np.array([BOXES, CLASSES]),
        "one": np.array(1, np.float32),
        "ones": np.array([1]),
        "step": np.array(0 if step is None else step, np.float32),
        "first": np.array([0]),
        "both": np.array([0, 1]),
        "last": np.array([1]),
        "most": np.array([100]),
        "overlap": np.array([0.4], np.float32),
        "score": np.array([0.55], np.float32),
    }
    node = helper.make_node
    best = [
        node("ArgMax", ["scores"], ["where"], axis=1, keepdims=0),
        node("ReduceMax", ["scores"], ["value"], axes=[1], keepdims=0),
    ]
    if largest == "TopK":
        best = [
            node("TopK", ["scores", "ones"], ["values", "indices"], axis=1),
            node("Squeeze", ["indices", "last"], ["where"]),
            node("Squeeze", ["values", "last"], ["value"]),
        ]
    far = [node("ReduceMax", ["boxes"], ["top"], keepdims=0), node("Add", ["top", "one"], ["step"])]
    if step is None:
        del tensors["step"]
    nodes = [
        node("Conv", ["image", "boxes.weight"], ["a"]),
        node("Reshape", ["a", "as boxes"], ["boxes"]),
        node("Conv", ["image", "scores.weight"], ["c"]),
        node("Sigmoid", ["c"], ["d"]),
        node("Reshape", ["d", "as scores"], ["scores"]),
        *best,
        *(far if step is None else []),
        node("Cast", ["where"], ["label"], to=TensorProto.FLOAT),
        node("Mul", ["label", "step"], ["offset"]),
        node("Unsqueeze", ["offset", "last"], ["offsets"]),
        node("Add", ["boxes", "offsets"], ["apart"]),
        node("Unsqueeze", ["apart", "first"], ["all"]),
        node("Unsqueeze", ["value", "both"], ["all scores"]),
        node("NonMaxSuppression", ["all", "all scores", "most", "overlap", "score"], ["chosen"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "apart",
        [value("image", TensorProto.FLOAT, (1, 3, 8, 8))],
        [
            value("chosen", TensorProto.INT64, ("count", 3)),
            value("boxes", TensorProto.FLOAT, (BOXES, 4)),
            value("where", TensorProto.INT64, (BOXES,)),
        ],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("largest", ["ArgMax", "TopK"])
@pytest.mark.parametrize("step", [None, 4096.0])
def test_boxes_that_were_moved_apart_by_class_come_back(largest, step, tmp_path):
    path = moved_apart(tmp_path / "apart.onnx", largest, step)
    network = vq.load(path, preprocessing={"boxes": "yolov8"})
    assert network.shapes[network.outputs["all_scores"]] == (1, BOXES, CLASSES)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    chosen, boxes, labels = session.run(None, {"image": x.numpy()})
    boxes = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1
    )
    wanted = sorted((int(labels[box]), *boxes[box].round(2).tolist()) for _, _, box in chosen)
    assert len(wanted) > 3 and len({label for label, *_ in wanted}) > 1
    outputs = network.run(x)
    found = task_for(network).found({name: outputs[name] for name in ("all_boxes", "all_scores")})
    assert wanted == sorted(
        (int(label), *corners.round(2).tolist())
        for label, corners in zip(found.classes, found.corners, strict=True)
    )


def test_a_sum_that_moves_no_classes_apart_stays(tmp_path):
    """An offset of all boxes alike is a part of where they are."""
    proto = onnx.load(suppressing(tmp_path / "nms.onnx", {"overlap": 0.4, "score": 0.55}))
    proto.graph.initializer.append(numpy_helper.from_array(np.full((1, 1, 1), 0.25, np.float32), "shift"))
    for node in proto.graph.node:
        if node.op_type == "NonMaxSuppression":
            node.input[0] = "shifted"
            at = [*proto.graph.node].index(node)
    proto.graph.node.insert(at, helper.make_node("Add", ["boxes", "shift"], ["shifted"]))
    onnx.save(proto, tmp_path / "shifted.onnx")
    network = vq.load(tmp_path / "shifted.onnx")
    x = torch.randn(1, 3, 8, 8)
    plain = vq.load(tmp_path / "nms.onnx")
    assert torch.equal(network.run(x)["all_boxes"], plain.run(x)["all_boxes"] + 0.25)
