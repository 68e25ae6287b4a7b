from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.agreement import distance_agreement, landmark_distance
from videoquant.tasks.drawing import LEFT, MIDDLE, TINT
from videoquant.tasks.landmarks import (
    BODY_BONES,
    BODY_POINTS,
    BodyLandmarks,
    Landmarks,
)

clouds = arrays(np.float32, (6, 3), elements=st.integers(-50, 250)).map(torch.from_numpy)


def test_the_distance_is_a_share_of_the_box_diagonal():
    reference = torch.tensor([[0.0, 0, 7], [30, 40, 7], [10, 10, 7], [10, 20, 7]])
    output = reference + torch.tensor([[3.0, 4, 100], [0, 0, 100], [0, 0, -100], [0, 5, 0]])
    assert landmark_distance(reference, output, 3) == pytest.approx(100 * (5 + 0 + 0 + 5) / 4 / 50)


@pytest.mark.parametrize("values", [2, 3, 5])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1, 1)])
def test_only_x_and_y_of_each_point_count(values, shape):
    reference = torch.zeros(3, values)
    reference[2, :2] = torch.tensor([6.0, 8.0])
    output = reference.clone()
    output[:, 2:] = 99
    assert landmark_distance(reference.reshape(shape), output.reshape(shape), values) == 0
    output[0, 1] = 3
    assert landmark_distance(reference.reshape(shape), output.reshape(shape), values) == pytest.approx(10)


def test_the_distance_is_capped_and_points_in_one_place_have_no_size():
    box = torch.tensor([[0.0, 0], [3, 4]])
    assert landmark_distance(box, box + 1e6, 2) == 100
    assert landmark_distance(torch.zeros(4, 2), torch.ones(4, 2), 2) == 100
    assert landmark_distance(torch.zeros(4, 2), torch.zeros(4, 2), 2) == 0
    assert landmark_distance(box, torch.tensor([[0.0, 0], [3, float("nan")]]), 2) == 100
    assert landmark_distance(torch.tensor([[0.0, 0], [3, float("inf")]]), box, 2) == 100


@given(clouds, clouds, st.integers(-100, 100), st.sampled_from([0.5, 2.0, 4.0]))
def test_moving_or_scaling_both_changes_nothing(a, b, shift, scale):
    distance = landmark_distance(a, b, 3)
    assert 0 <= distance <= 100
    assert (distance == 0) == torch.equal(a[:, :2], b[:, :2])
    assert landmark_distance(scale * (a + shift), scale * (b + shift), 3) == pytest.approx(distance)


def test_the_stream_is_the_mean_of_its_frames():
    agreement = distance_agreement("landmarks", 2)
    reference = {"landmarks": torch.tensor([[0.0, 0, 3, 4]])}
    for shift, expected in ((0.0, 0.0), (1.0, 20.0), (2.0, 40.0), (float("nan"), 100.0)):
        moved = reference["landmarks"] + torch.tensor([shift, 0, shift, 0])
        assert agreement.update(reference, {"landmarks": moved})["landmark_distance"] == pytest.approx(
            expected
        )
    assert agreement.result()["landmark_distance"] == pytest.approx(40)


def test_dots_stand_where_the_points_are():
    task = Landmarks("landmarks", (100, 100), Preprocessing(), 3)
    points = torch.tensor([[25.0, 50, 0], [75, 10, 0], [float("nan"), 5, 0], [1e9, 5, 0]])
    picture = task.draw(np.zeros((200, 400, 3), dtype=np.uint8), {"landmarks": points.view(1, 12, 1, 1)})
    for x, y in ((100, 100), (300, 20)):
        assert tuple(picture[y, x].tolist()) == MIDDLE
    elsewhere = picture.copy()
    elsewhere[95:106, 95:106] = elsewhere[15:26, 295:306] = 0
    assert not elsewhere.any()


def body(**changes: float) -> dict[str, torch.Tensor]:
    """All 39 points in one column but for the left arm, all visible."""
    points = torch.zeros(39, 5)
    points[:, 0], points[:, 1], points[:, 3] = 50, torch.linspace(10, 90, 39), 5
    points[11, :2], points[13, :2] = torch.tensor([20.0, 30]), torch.tensor([20.0, 60])
    for name, logit in changes.items():
        points[int(name.removeprefix("point")), 3] = logit
    mask = torch.full((1, 1, 100, 100), -500.0)
    mask[..., 70:] = 500
    return {"landmarks": points.view(1, 195), "mask": mask}


def task(mask: str | None = "mask") -> BodyLandmarks:
    return BodyLandmarks("landmarks", (100, 100), Preprocessing(), 5, mask, 0.0)


def test_the_body_has_its_bones_and_its_mask():
    pixels = np.full((400, 400, 3), 128, dtype=np.uint8)
    picture = task().draw(pixels, body())
    assert tuple(picture[180, 80].tolist()) == LEFT  # halfway from shoulder to elbow
    assert np.abs(picture[200, 340] - (0.55 * 128 + 0.45 * np.array(TINT))).max() <= 1
    assert (picture[200, 20] == 128).all()
    assert (task(None).draw(pixels, body())[:, 260:] == 128).all()


def test_a_hidden_point_takes_its_bones_along():
    pixels = np.full((400, 400, 3), 128, dtype=np.uint8)
    picture = task(None).draw(pixels, body(point13=-5.0))
    assert (picture[180, 70:90] == 128).all()
    hidden = body(**{f"point{i}": -5.0 for i in range(39)})
    assert (task(None).draw(pixels, hidden) == 128).all()


def test_the_body_skeleton_stays_among_its_points():
    assert {k for bone in BODY_BONES for k in bone} == set(range(BODY_POINTS))


def test_the_body_is_alike_on_both_sides():
    """Left and right are counted in turn; only of the eyes, 1 to 3 and 4 to 6, one stands after the other."""
    other = {0: 0, **{i: i + 3 for i in (1, 2, 3)}, **{i: i - 3 for i in (4, 5, 6)}}
    other |= {i: i + 1 if i % 2 else i - 1 for i in range(7, BODY_POINTS)}
    mirrored = {frozenset((other[a], other[b])) for a, b in BODY_BONES}
    assert mirrored == {frozenset(bone) for bone in BODY_BONES}


@pytest.mark.parametrize(("numbers", "values"), [(6, 3), (12, 3), (9, 3), (8, 2), (10, 2)])
def test_points_are_read_in_threes_where_their_number_allows(numbers, values):
    network = SimpleNamespace(
        outputs={"points": "fc"}, shapes={"fc": (1, numbers)}, size=(8, 8), preprocessing=Preprocessing()
    )
    assert Landmarks.of(network).values == values
