"""Which task a network gets, and what holds for every task."""

import json
import math
import pickle

import numpy as np
import pytest
import torch

from videoquant.errors import DataError
from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import TASKS, Preprocessing
from videoquant.tasks import Task, primary_output, task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.classification import Classification
from videoquant.tasks.detection.yolo import ScoredBoxes
from videoquant.tasks.landmarks import BodyLandmarks, Landmarks
from videoquant.tasks.pose import Keypoints
from videoquant.tasks.segmentation import Segmentation
from videoquant.tasks.super_resolution import SuperResolution


def network(task, last=None, size=(16, 24), fit="stretch", color="RGB", **outputs):
    """A network whose outputs have the given shapes (without N); `last` is the op at the end of each."""
    nodes, tensors = [], {}
    for name, shape in outputs.items():
        tensors[f"{name}.value"] = torch.zeros(1, *shape)
        nodes.append(Node(name, "constant", tensors=("value",)))
        if last:
            nodes.append(Node(f"{name}_{last[0]}", last[0], (name,), last[1]))
    values = {name: f"{name}_{last[0]}" if last else name for name in outputs}
    channels = 1 if color == "Y" else 3
    preprocessing = Preprocessing((0.0,) * channels, (1.0,) * channels, color=color, fit=fit, task=task)
    return Network(nodes, "image", (1, channels, *size), values, tensors, preprocessing)


POSENET = {
    "displacement_fwd": (32, 4, 6),
    "heatmap": (17, 4, 6),
    "displacement_bwd": (32, 4, 6),
    "offset": (34, 4, 6),
}
BODY = {
    "presence": (1,), "heatmap": (39, 4, 6), "landmarks": (195,), "mask": (1, 16, 24),
}  # fmt: skip

# name: network, the task's class, its primary output, its measures with the best and the worst value
EXAMPLES = {
    "mask": (network("segmentation", mask=(1, 8, 12)), Segmentation, "mask", {"mask_iou": (1, 0)}),
    "probability": (
        network("segmentation", ("sigmoid", {}), mask=(1, 8, 12)), Segmentation, "mask", {"mask_iou": (1, 0)},
    ),
    "two classes": (network("segmentation", out=(2, 8, 12)), Segmentation, "out", {"mask_iou": (1, 0)}),
    "classes": (
        network("segmentation", pooled=(9, 1, 1), out=(5, 8, 12)), Segmentation, "out", {"mask_iou": (1, 0)},
    ),
    "posenet": (network("pose", **POSENET), Keypoints, "heatmap", {"keypoint_f1": (1, 0)}),
    "heatmap only": (network("pose", heatmap=(17, 4, 6)), Keypoints, "heatmap", {"keypoint_f1": (1, 0)}),
    "other keypoints": (network("pose", heatmaps=(21, 4, 6)), Keypoints, "heatmaps", {"keypoint_f1": (1, 0)}),
    "body": (
        network("pose", **BODY), BodyLandmarks, "landmarks",
        {"landmark_distance": (0, 100), "mask_iou": (1, 0)},
    ),
    "body without mask": (
        network("pose", landmarks=(99,)), BodyLandmarks, "landmarks", {"landmark_distance": (0, 100)},
    ),
    "face": (
        network("landmarks", presence=(1, 1, 1), landmarks=(1404, 1, 1)), Landmarks, "landmarks",
        {"landmark_distance": (0, 100)},
    ),
    "face in 2-D": (network("landmarks", out=(196,)), Landmarks, "out", {"landmark_distance": (0, 100)}),
    "super-resolution": (
        network("super-resolution", upscaled=(3, 32, 48)), SuperResolution, "upscaled", {"psnr": (100, 0)},
    ),
    "super-resolution of luma": (
        network("super-resolution", color="Y", upscaled=(1, 32, 48)), SuperResolution, "upscaled",
        {"psnr": (100, 0)},
    ),
    "classification": (
        network("classification", fit="crop", logits=(10,)), Classification, "logits", {"top1": (1, 0)},
    ),
    "pooled classification": (
        network("classification", ("softmax", {"dim": 1}), out=(10, 1, 1)), Classification, "out",
        {"top1": (1, 0)},
    ),
    "detection": (network("detection", boxes=(6, 9)), ScoredBoxes, "boxes", {"box_f1": (1, 0)}),
}  # fmt: skip

every_task = pytest.mark.parametrize("example", EXAMPLES)


def outputs_of(net: Network, seed: int, scale: float = 3.0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {
        name: scale * torch.randn(net.shapes[value], generator=rng) for name, value in net.outputs.items()
    }


def broken(outputs, value):
    return {name: torch.full_like(tensor, value) for name, tensor in outputs.items()}


@every_task
def test_the_task_is_chosen(example):
    net, kind, primary, measures = EXAMPLES[example]
    task = task_for(net)
    assert type(task) is kind
    assert isinstance(task, Task)
    assert task.name == net.preprocessing.task in TASKS
    assert task.primary == primary == primary_output(net)
    assert [measure.name for measure in task.measures] == list(measures)
    assert all(m.higher_is_better == (measures[m.name][0] > measures[m.name][1]) for m in task.measures)


def test_every_task_has_an_example():
    assert {net.preprocessing.task for net, *_ in EXAMPLES.values()} == set(TASKS)


@pytest.mark.parametrize(
    "net",
    [
        network(None, first=(1, 8, 12), second=(10,)),
        network("segmentation", first=(10,)),
        network("pose", first=(17, 4, 6)),
        network("pose", first=(10,), landmarks=(7,)),
        network("landmarks", first=(98, 16, 16)),
        network("landmarks", first=(1,)),
        network("super-resolution", first=(3, 8, 12), second=(1, 32, 48)),
        network("super-resolution", color="Y", first=(1, 8, 12), second=(3, 32, 48)),
        network("classification", first=(1,), second=(4, 4)),
        network("detection", first=(6, 50)),
    ],
    ids=lambda net: f"{net.preprocessing.task} {net.shapes}",
)
def test_outputs_that_do_not_fit_give_no_task(net):
    assert task_for(net) is None
    assert primary_output(net) == "first"


@every_task
def test_equal_outputs_agree_fully(example):
    net, _, _, measures = EXAMPLES[example]
    outputs, agreement = outputs_of(net, 0), agreement_for(task_for(net))
    best = {name: best for name, (best, _) in measures.items()}
    assert agreement.update(outputs, {k: v.clone() for k, v in outputs.items()}) == best
    assert agreement.result() == best


@every_task
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["output", "reference", "both"])
def test_outputs_that_are_not_finite_have_the_worst_value(example, value, side):
    net, _, _, measures = EXAMPLES[example]
    good, agreement = outputs_of(net, 0), agreement_for(task_for(net))
    bad = broken(good, value)
    worst = {name: worst for name, (_, worst) in measures.items()}
    update = agreement.update(good if side == "output" else bad, good if side == "reference" else bad)
    assert update == agreement.result() == worst


@every_task
def test_one_frame_alone_is_the_stream(example):
    net = EXAMPLES[example][0]
    agreement = agreement_for(task_for(net))
    frame = agreement.update(outputs_of(net, 1), outputs_of(net, 2))
    assert frame == pytest.approx(agreement.result())


@every_task
def test_the_stream_lies_between_its_frames(example):
    net = EXAMPLES[example][0]
    agreement, task = agreement_for(task_for(net)), task_for(net)
    frames = [agreement.update(outputs_of(net, 1), outputs_of(net, seed)) for seed in (1, 2, 3)]
    for measure in task.measures:
        values = [frame[measure.name] for frame in frames]
        assert min(values) - 1e-9 <= agreement.result()[measure.name] <= max(values) + 1e-9


@every_task
def test_of_a_frame_a_number_is_kept_at_most(example):
    net = EXAMPLES[example][0]
    agreement, sizes = agreement_for(task_for(net)), []
    for seed in range(12):
        agreement.update(outputs_of(net, 0), outputs_of(net, seed))
        sizes.append(len(pickle.dumps(agreement)))
    assert max(sizes) - min(sizes) < 12 * 20  # numbers get longer, and a mean needs one of each frame


@every_task
def test_pieces_of_a_stream_add_up_to_it(example):
    net = EXAMPLES[example][0]
    whole, *pieces, total = (agreement_for(task_for(net)) for _ in range(4))
    for seed in range(7):
        for agreement in (whole, pieces[seed // 4]):
            agreement.update(outputs_of(net, 0), outputs_of(net, seed))
    for piece in pieces:
        total.add(json.loads(json.dumps(piece.state)))
    assert total.result() == whole.result() and total.frames == 7


@every_task
def test_two_agreements_share_nothing(example):
    net, _, _, measures = EXAMPLES[example]
    task = task_for(net)
    first, second, outputs = agreement_for(task), agreement_for(task), outputs_of(net, 0)
    first.update(outputs, broken(outputs, math.nan))
    assert (
        second.update(outputs, outputs) == second.result() == {k: best for k, (best, _) in measures.items()}
    )


@every_task
def test_updating_leaves_the_outputs_as_they_were(example):
    net = EXAMPLES[example][0]
    a, b = outputs_of(net, 1), outputs_of(net, 2)
    agreement_for(task_for(net)).update(a, b)
    for outputs, seed in ((a, 1), (b, 2)):
        for name, tensor in outputs_of(net, seed).items():
            assert torch.equal(outputs[name], tensor)


@every_task
def test_drawing_keeps_shape_and_type_and_the_frame(example):
    net = EXAMPLES[example][0]
    task = task_for(net)
    for height, width in ((16, 24), (37, 61), (144, 176)):
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        before, outputs = pixels.copy(), outputs_of(net, 3)
        pixels.flags.writeable = False
        picture = task.draw(pixels, outputs)
        assert picture.dtype == np.uint8
        assert picture.shape == ((32, 48, 3) if task.name == "super-resolution" else pixels.shape)
        assert np.array_equal(pixels, before)
        assert not np.shares_memory(picture, pixels)
        assert all(torch.equal(outputs[k], v) for k, v in outputs_of(net, 3).items())


@every_task
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e30, 0.0])
@pytest.mark.filterwarnings("error")
def test_drawing_survives_broken_outputs(example, value):
    net = EXAMPLES[example][0]
    pixels = np.full((48, 64, 3), 127, dtype=np.uint8)
    picture = task_for(net).draw(pixels, broken(outputs_of(net, 0), value))
    assert picture.dtype == np.uint8


@every_task
@pytest.mark.parametrize("scale", [1e-20, 1e20])
@pytest.mark.filterwarnings("error")
def test_drawing_and_agreement_survive_outputs_of_any_size(example, scale):
    net = EXAMPLES[example][0]
    task, outputs = task_for(net), outputs_of(net, 4, scale)
    assert task.draw(np.zeros((20, 30, 3), dtype=np.uint8), outputs).dtype == np.uint8
    measures = agreement_for(task).update(outputs_of(net, 5, scale), outputs)
    assert all(math.isfinite(value) for value in measures.values())


@every_task
def test_wrong_outputs_are_refused(example):
    net, _, primary, _ = EXAMPLES[example]
    agreement, outputs = agreement_for(task_for(net)), outputs_of(net, 0)
    with pytest.raises(DataError, match=f"'{primary}' is missing; there are 'other'"):
        agreement.update(outputs, {"other": outputs[primary]})
    twice = {name: tensor.repeat(2, *[1] * (tensor.dim() - 1)) for name, tensor in outputs.items()}
    with pytest.raises(DataError, match="one frame"):
        agreement.update(twice, twice)
    with pytest.raises(DataError, match="differs in shape"):
        agreement.update(outputs, outputs | {primary: torch.cat([outputs[primary]] * 2, 1)})
    with pytest.raises(DataError, match="no frame"):
        agreement.result()
