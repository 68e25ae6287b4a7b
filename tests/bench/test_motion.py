"""Motion detection of gates in use, on pictures made by hand, and the crops that cover boxes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.bench.motion import BlockMotion, BoxMotion, cover


def scene(level=100, size=(192, 320)):
    return np.full((*size, 3), level, np.uint8)


def with_square(at, side=40, level=200):
    picture = scene()
    picture[at[0] : at[0] + side, at[1] : at[1] + side] = level
    return picture


def test_blocks_see_what_moves_and_one_frame_more():
    motion = BlockMotion()
    pictures = [scene(), scene(), with_square((60, 100)), *[with_square((60, 100))] * 3]
    assert [motion.moves(picture) for picture in pictures] == [True, True, True, True, False, False]


def test_blocks_do_not_see_a_few_pixels_nor_levels():
    motion = BlockMotion()
    seen = [
        motion.moves(p)
        for p in (scene(), scene(), scene(), with_square((0, 0), 3), with_square((60, 100), 40, 115))
    ]
    assert seen == [True, True, False, False, False]
    assert BlockMotion(difference=10).moves(scene())
    finer = BlockMotion(difference=10)
    assert [finer.moves(p) for p in (scene(), scene(), scene(), with_square((60, 100), 40, 115))][-2:] == [
        False,
        True,
    ]


def test_boxes_are_around_what_differs_from_the_background():
    motion = BoxMotion()
    assert motion.boxes(scene()) is None  # the first frame is the background
    assert motion.boxes(scene()) == []
    ((top, left, bottom, right),) = motion.boxes(with_square((60, 100)))
    assert 52 <= top <= 60 and 100 <= bottom <= 110 and 90 <= left <= 100 and 140 <= right <= 150
    for _ in range(9):
        assert motion.boxes(with_square((60, 100)))
    slow = [motion.boxes(with_square((60, 100))) for _ in range(200)]
    assert slow[0] and not slow[-1]  # what stays becomes background


def test_boxes_calibrate_when_the_light_is_switched():
    motion = BoxMotion()
    motion.boxes(scene(60)), motion.boxes(scene(60))
    seen = [motion.boxes(scene(180)) for _ in range(40)]
    assert seen[0] is None and seen[-1] == []
    assert None not in seen[seen.index([]) :]


@given(
    st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 40)] * 2), min_size=1, max_size=6),
    st.sampled_from([8, 16, 32]),
)
def test_crops_hold_every_box_and_lie_on_the_grid(corners, align):
    size, crop = (160, 224), (96, 128)
    boxes = [(2 * y, 3 * x, min(160, 2 * y + h), min(224, 3 * x + w)) for y, x, h, w in corners]
    found = cover(boxes, size, crop, align)
    if found is None:
        return
    assert len(found) * 96 * 128 < 160 * 224
    for top, left, bottom, right in found:
        assert top % align == left % align == 0 and (bottom - top, right - left) == crop
        assert top >= 0 and left >= 0 and bottom <= 160 and right <= 224
    for box in boxes:
        assert any(c[0] <= box[0] and c[1] <= box[1] and box[2] <= c[2] and box[3] <= c[3] for c in found)


def test_boxes_that_no_crop_holds_are_the_whole_picture():
    assert cover([], (160, 224), (96, 128), 16) == []
    assert cover([(0, 0, 120, 20)], (160, 224), (96, 128), 16) is None
    assert cover([(10, 10, 30, 30)], (160, 224), (96, 128), 16) == [(0, 0, 96, 128)]
    assert (
        len(cover([(10, 10, 30, 30), (20, 60, 60, 90), (130, 200, 150, 220)], (160, 224), (96, 128), 16)) == 2
    )
    four = [(0, 0, 20, 20), (140, 0, 160, 20), (0, 200, 20, 224), (140, 200, 160, 224)]
    assert cover(four, (160, 224), (96, 128), 16) is None
