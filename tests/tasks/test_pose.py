import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.agreement import PeakAgreement, matches
from videoquant.tasks.drawing import LEFT, RIGHT
from videoquant.tasks.pose import (
    COCO_BONES,
    TREE,
    Keypoints,
    first_centre,
    peaks,
    people,
    positions,
)

heatmaps = arrays(np.float32, (2, 5, 6), elements=st.integers(-2, 3)).map(torch.from_numpy)


def heatmap(*cells: tuple[int, int, int], shape=(17, 9, 12), value: float = 4.0) -> torch.Tensor:
    """Logits of −4 with peaks at (keypoint, row, column)."""
    result = torch.full(shape, -4.0)
    for cell in cells:
        result[cell] = value
    return result


def f1(a: torch.Tensor, b: torch.Tensor) -> float:
    return PeakAgreement("heatmap", 0.0).update({"heatmap": a[None]}, {"heatmap": b[None]})["keypoint_f1"]


def test_peaks_are_local_maxima_above_the_threshold():
    values = np.array([[[0.0, 3, 0, 0, 0], [2, 1, 0, 0, 0], [0, 0, 0, -1, 2], [0, 0, 0, 0, 0.4]]])
    assert np.argwhere(peaks(values, 0.5)).tolist() == [[0, 0, 1], [0, 2, 4]]
    assert np.argwhere(peaks(values, 2.5)).tolist() == [[0, 0, 1]]


def test_a_plateau_has_one_peak():
    assert np.argwhere(peaks(np.ones((1, 6, 7)), 0.0)).tolist() == [[0, 0, 0]]


@given(heatmaps)
def test_peaks_against_a_plain_loop_and_never_touching(values):
    values = values.numpy()
    found = peaks(values, 0.0)
    for k in range(2):
        for y in range(5):
            for x in range(6):
                near = values[k, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                if found[k, y, x]:
                    assert values[k, y, x] > 0 and values[k, y, x] == near.max()
                    assert found[k, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].sum() == 1
                elif values[k, y, x] > 0 and (near == values[k, y, x]).sum() == 1:
                    assert values[k, y, x] < near.max()


def test_peaks_match_within_one_cell_of_the_same_keypoint():
    reference = heatmap((0, 3, 3), (5, 2, 2))
    assert f1(reference, reference) == 1.0
    assert f1(reference, heatmap((0, 4, 2), (5, 2, 3))) == 1.0
    assert f1(reference, heatmap((0, 3, 5), (5, 2, 2))) == 0.5
    assert f1(reference, heatmap((1, 3, 3), (6, 2, 2))) == 0.0
    assert f1(reference, heatmap((0, 3, 3))) == pytest.approx(2 / 3)
    assert f1(heatmap(), reference) == 0.0


def test_two_empty_heatmaps_agree_on_nothing():
    agreement = PeakAgreement("heatmap", 0.0)
    assert agreement.update({"heatmap": heatmap()[None]}, {"heatmap": heatmap()[None]}) == {}
    assert agreement.result() == {}
    agreement.update({"heatmap": heatmap()[None]}, {"heatmap": heatmap((0, 3, 3))[None]})
    assert agreement.result() == {"keypoint_f1": 0.0}


def test_each_peak_matches_once():
    # The peak between two others can be only one of them, the nearer: then the far corner stays free.
    assert f1(heatmap((0, 3, 3)), heatmap((0, 3, 2), (0, 3, 4))) == pytest.approx(2 / 3)
    assert f1(heatmap((0, 3, 3), (0, 5, 5)), heatmap((0, 4, 4), (0, 3, 2))) == 1.0


@given(heatmaps, heatmaps)
def test_matching_is_symmetric_and_bounded_by_the_best_possible(a, b):
    first, second = peaks(a.numpy(), 0.0), peaks(b.numpy(), 0.0)
    count = matches(first, second)
    assert count == matches(second, first)
    best = best_matching(np.argwhere(first).tolist(), np.argwhere(second).tolist())
    assert (
        best / 2 <= count <= best
    )  # greedy is maximal, and a maximal matching has at least half the largest
    assert matches(first, first) == int(first.sum())


def best_matching(left, right) -> int:
    """The largest number of pairs by augmenting paths."""
    owner: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j, other in enumerate(right):
            near = left[i][0] == other[0] and max(abs(left[i][d] - other[d]) for d in (1, 2)) <= 1
            if near and j not in seen:
                seen.add(j)
                if j not in owner or place(owner[j], seen):
                    owner[j] = i
                    return True
        return False

    return sum(place(i, set()) for i in range(len(left)))


def test_counts_are_pooled_over_the_stream():
    agreement = PeakAgreement("heatmap", 0.0)
    frames = [
        (heatmap((0, 1, 1)), heatmap((0, 1, 1)), 1.0),
        (heatmap((0, 1, 1), (2, 4, 4), (3, 4, 4)), heatmap(), 0.0),
        (heatmap(), heatmap(), None),
    ]
    for a, b, expected in frames:
        update = agreement.update({"heatmap": a[None]}, {"heatmap": b[None]})
        assert update == ({} if expected is None else {"keypoint_f1": expected})
    assert agreement.result() == {"keypoint_f1": 2 / 5}


def test_a_cell_stands_for_start_plus_stride_plus_offset():
    offset = np.zeros((4, 3, 5), np.float32)
    offset[1], offset[3] = 2.0, -3.0  # the second keypoint: y + 2, x − 3
    places = positions(np.zeros((2, 3, 5), np.float32), offset, (48, 80), (15.0, 15.0))
    assert places[:, 0, 1, 2].tolist() == [15 + 2 * 16, 15 + 16]
    assert places[:, 1, 1, 2].tolist() == [15 + 2 * 16 - 3, 15 + 16 + 2]


def convolutions(count: int, padding: list[int], *more: Node) -> Network:
    nodes, tensors, value = [], {}, "image"
    for i in range(count):
        attributes = {"stride": [2, 2], "padding": padding, "dilation": [1, 1], "groups": 1}
        nodes += [
            Node(f"conv{i}", "conv2d", (value,), attributes, ("weight",)),
            Node(f"act{i}", "clamp", (f"conv{i}",), {"min": 0}),
        ]
        tensors[f"conv{i}.weight"] = torch.zeros(3, 3, 3, 3)
        value = f"act{i}"
    for node in more:
        nodes.append(Node(node.name, node.op, (value,), node.attributes))
        value = node.name
    preprocessing = Preprocessing(task="pose")
    return Network(nodes, "image", (1, 3, 64, 96), {"heatmap": value}, tensors, preprocessing)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (convolutions(4, [1, 1, 1, 1]), (0, 0)),
        (convolutions(4, [0, 0, 1, 1]), (15, 15)),
        (convolutions(2, [0, 1, 1, 1]), (3, 0)),
        (convolutions(1, [0, 0, 1, 1], Node("p", "max_pool2d", (), {
            "kernel": [2, 2], "stride": [2, 2], "padding": [0, 0, 0, 0], "dilation": [1, 1], "ceil": False,
        })), (2, 2)),
        (convolutions(1, [1, 1, 1, 1], Node("p", "pad", (), {"padding": [1, 0, 2, 0], "mode": "constant"})),
         (-4, -2)),
        (convolutions(2, [0, 0, 1, 1], Node("r", "resize", (), {"mode": "bilinear", "size": [32, 48]})),
         (0.5, 0.5)),
    ],
)  # fmt: skip
def test_the_centre_of_the_first_cell_follows_the_padding(network, expected):
    assert first_centre(network, network.outputs["heatmap"]) == expected
    assert Keypoints.of(network).start == expected


# A person standing at column c of a 17×10×30 map at stride 16; the fields lead from keypoint to keypoint.
ROWS = [0, 0, 0, 1, 1, 3, 3, 4, 4, 6, 6, 6, 6, 7, 7, 9, 9]
SIDE = [0, 1, -1, 2, -2, 2, -2, 3, -3, 3, -3, 1, -1, 1, -1, 1, -1]


def standing(*columns: int, missing: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    fields = {
        "heatmap": torch.full((1, 17, 10, 30), -6.0),
        "offset": torch.zeros(1, 34, 10, 30),
        "displacement_fwd": torch.zeros(1, 32, 10, 30),
        "displacement_bwd": torch.zeros(1, 32, 10, 30),
    }
    for c in columns:
        for k in set(range(17)) - set(missing):
            fields["heatmap"][0, k, ROWS[k], c + SIDE[k]] = 3.0
        for e, (parent, child) in enumerate(TREE):
            dy, dx = 16.0 * (ROWS[child] - ROWS[parent]), 16.0 * (SIDE[child] - SIDE[parent])
            fields["displacement_fwd"][0, [e, e + 16], ROWS[parent], c + SIDE[parent]] = torch.tensor(
                [dy, dx]
            )
            fields["displacement_bwd"][0, [e, e + 16], ROWS[child], c + SIDE[child]] = -torch.tensor([dy, dx])
    fields["offset"] += 0.25
    return fields


def find(fields: dict[str, torch.Tensor], start=(15.0, 15.0)):
    maps = [fields[name][0].numpy() for name in ("heatmap", "offset", "displacement_fwd", "displacement_bwd")]
    return people(*maps, (160, 480), start, 0.0)


@pytest.mark.parametrize("start", [(0.0, 0.0), (15.0, 15.0)])
def test_people_are_assembled_along_the_displacements(start):
    found = find(standing(6, 20), start)
    assert len(found) == 2
    for (points, scores), c in zip(found, (6, 20), strict=True):
        expected = [
            [start[1] + 16 * (c + s) + 0.25, start[0] + 16 * r + 0.25]
            for r, s in zip(ROWS, SIDE, strict=True)
        ]
        assert points == pytest.approx(np.array(expected))
        assert scores.tolist() == [3.0] * 17


def test_a_missing_keypoint_has_a_low_score_and_no_one_is_found_in_nothing():
    ((_, scores),) = find(standing(8, missing=(16, 9)))
    assert [k for k in range(17) if scores[k] < 0] == [9, 16]
    assert find(standing()) == []


def frame() -> np.ndarray:
    return np.full((320, 960, 3), 128, dtype=np.uint8)


def is_near(pixel: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - color).max() < 40)


def test_skeletons_stand_where_the_people_are():
    task = Keypoints("heatmap", (160, 480), Preprocessing(), 0.0, 17, (15.0, 15.0))
    picture = task.draw(frame(), standing(6, 20))
    for c in (6, 20):
        for k, color in ((9, LEFT), (10, RIGHT), (15, LEFT), (16, RIGHT)):
            x, y = 2 * (15.25 + 16 * (c + SIDE[k])), 2 * (15.25 + 16 * ROWS[k])
            assert is_near(picture[round(y) - 1, round(x) - 1], color)
    changed = np.nonzero((picture != 128).any(axis=(0, 2)))[0]
    assert changed.min() > 2 * 16 * 3 and changed.max() < 2 * 16 * 25
    assert (picture[:, 2 * 16 * 11 : 2 * 16 * 16] == 128).all()  # nothing joins the two


def test_without_displacements_one_person_is_joined_and_two_are_dots():
    task = Keypoints("heatmap", (160, 480), Preprocessing(), 0.0, 17, (0.0, 0.0))
    both = standing(6, 20)
    elbow, wrist = (2 * 16 * np.array([6 + SIDE[k], ROWS[k]]) for k in (7, 9))
    x, y = (elbow + wrist) // 2
    alone = task.draw(frame(), {"heatmap": standing(6)["heatmap"]})
    assert is_near(alone[y, x - 1], LEFT)
    dots = task.draw(frame(), {"heatmap": both["heatmap"]})
    assert (dots[y, x - 1] == 128).all()
    assert is_near(dots[wrist[1] - 1, wrist[0] - 1], LEFT)


def test_an_empty_heatmap_leaves_the_frame_alone():
    task = Keypoints("heatmap", (160, 480), Preprocessing(), 0.0, 17, (0.0, 0.0))
    assert (task.draw(frame(), standing()) == 128).all()


def test_the_skeletons_reach_every_keypoint():
    assert {k for bone in TREE for k in bone} == set(range(17))
    assert len({child for _, child in TREE}) == 16
    assert {k for bone in COCO_BONES for k in bone} == set(range(17))
