"""What must be computed anew is, what stands still is not, nothing stays old for ever. Without a network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.axes import Regions
from videoquant.errors import DataError
from videoquant.regions import Gate, NativeGate
from videoquant.regions.gate import cell_sums, dilated

NEVER = 2**20  # a turn that does not come


def play(gate, pictures):
    """The regions of a clip."""
    state, regions = gate.first(), []
    for picture in pictures:
        region, state = gate.step(state, picture)
        regions.append(region)
    return regions


def grey(height, width, level=100):
    return np.full((height, width, 3), level, np.uint8)


def test_a_still_picture_is_computed_once():
    regions = play(Gate(Regions(refresh=NEVER), (50, 70), 3), [grey(50, 70)] * 30)
    assert regions[0].whole and not regions[0].moving
    assert not any(region.whole or region.blocks.any() for region in regions[1:])


def test_what_moves_is_refreshed_with_its_margin_and_then_rests():
    rule = Regions(margin=1, rest=3, refresh=NEVER)
    moved = grey(160, 160)
    moved[80:84, 80:84] = 160
    regions = play(Gate(rule, (160, 160), 3), [grey(160, 160), *[moved] * 6])
    expected = np.zeros((10, 10), bool)
    expected[4:7, 4:7] = True
    assert all(np.array_equal(region.blocks, expected) for region in regions[1:5])
    assert not regions[5].blocks.any()


def test_what_stirs_is_refreshed_for_as_long_as_memory_lasts():
    rule = Regions(margin=0, memory=9, rest=1, refresh=NEVER)
    clip = [grey(64, 64) for _ in range(30)]
    for index, frame in enumerate(clip[1:]):
        frame[16:32, 16:32] = 160 if index == 0 else 160 + 5 * (index % 2)
    stirred = [bool(region.blocks[1, 1]) for region in play(Gate(rule, (64, 64), 3), clip)]
    assert stirred == [True] * 11 + [False] * 19
    still = [clip[0], *[clip[1]] * 9]
    assert [bool(region.blocks[1, 1]) for region in play(Gate(rule, (64, 64), 3), still)] == [True] * 3 + [
        False
    ] * 7


def test_what_is_faint_is_seen_where_it_is_large():
    rule = Regions(margin=0, refresh=NEVER)
    for side, seen in ((16, True), (8, False)):
        clip = [grey(96, 96) for _ in range(3)]
        clip[2][32 : 32 + side, 48 : 48 + side] += np.uint8(9)
        region = play(Gate(rule, (96, 96), 3), clip)[2]
        assert region.blocks[2, 3] == seen and region.blocks.sum() == seen


def test_in_the_dark_less_is_seen():
    rule = Regions(margin=0, refresh=NEVER)
    for level, seen in ((40, True), (100, False)):
        clip = [grey(96, 96, level) for _ in range(3)]
        clip[2][32:48, 48:64] += np.uint8(6)
        assert play(Gate(rule, (96, 96), 3), clip)[2].blocks.sum() == seen


def test_light_that_changes_everywhere_by_less_is_not_faint():
    clip = [grey(96, 96), grey(96, 96, 110), grey(96, 96, 116)]
    assert not any(
        region.blocks.any() for region in play(Gate(Regions(refresh=NEVER), (96, 96), 3), clip)[1:]
    )


def test_a_slow_change_adds_up_until_it_is_seen():
    frames = [grey(160, 160) for _ in range(30)]
    for level, frame in enumerate(frames):
        frame[:8, :8] += np.uint8(level)
    regions = play(Gate(Regions(margin=0, refresh=NEVER), (160, 160), 3), frames)
    seen = [index for index, region in enumerate(regions[1:], 1) if region.blocks.any()]
    assert seen[0] == 17  # the first change of more than 16 levels


@pytest.mark.parametrize("refresh", [1, 3, 7, 10, 16])
def test_every_block_has_its_turn(refresh):
    regions = play(Gate(Regions(refresh=refresh), (112, 32), 3), [grey(112, 32)] * 60)
    blocks = np.stack([region.blocks for region in regions[1:]])
    for start in range(len(blocks) - refresh + 1):
        assert (blocks[start : start + refresh].sum(0) == 1).all()


def test_a_cut_is_a_whole_frame_and_the_next_is_still():
    clip = [grey(80, 80)] * 3 + [grey(80, 80, 200)] * 3
    regions = play(Gate(Regions(refresh=NEVER), (80, 80), 3), clip)
    assert [region.whole for region in regions] == [True, False, False, True, False, False]
    assert not any(region.moving for region in regions)
    assert not any(region.blocks.any() for region in regions[4:])


def test_nearly_all_of_a_frame_is_the_whole_frame():
    """Though not much of it was triggered at once, and the next frames are regions again."""
    clip = [grey(160, 160) for _ in range(4)]
    for picture in clip[1:]:
        picture[:, :64] = 200
    for picture in clip[2:]:
        picture[:, 64:144] = 200
    rule = Regions(margin=0, memory=1, rest=1, refresh=NEVER)
    for gate in (Gate(rule, (160, 160), 3), NativeGate(rule, (160, 160), 3)):
        regions = play(gate, clip)
        assert [region.whole for region in regions] == [True, False, True, False]
        assert regions[1].share == 0.4 and regions[2].blocks.all() and regions[3].share < 0.9
        assert not any(region.moving for region in regions)


def test_a_moving_camera_is_a_stretch_of_whole_frames():
    random = np.random.default_rng(0)
    clip = [random.integers(0, 256, (80, 80, 1), np.uint8).repeat(3, 2) // 64 * 64 for _ in range(6)]
    clip = [frame.repeat(4, 0).repeat(4, 1)[:80, :80] for frame in clip] + [grey(80, 80)] * 3
    regions = play(Gate(Regions(refresh=NEVER), (80, 80), 3), clip)
    assert [region.whole for region in regions] == [True] * 8 + [False]
    assert [region.moving for region in regions] == [False] + [True] * 6 + [False] * 2
    for before, region, after in zip(regions, regions[1:], regions[2:], strict=False):
        assert not region.moving or (region.whole and before.whole and after.whole)


def test_steps_change_neither_picture_nor_state():
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (6, 40, 56, 3), np.uint8)
    gate = Gate(Regions(memory=2, rest=1), (40, 56), 3)
    states = [gate.first()]
    for picture in pictures:
        picture.flags.writeable = False
        states.append(gate.step(states[-1], picture)[1])
    again = gate.step(states[3], pictures[3])[1]
    assert np.array_equal(again.held, states[4].held) and np.array_equal(again.since, states[4].since)
    assert np.array_equal(again.deviation, states[4].deviation)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))))
def test_sums_of_cells(picture):
    sums = cell_sums(picture)
    for i, j, c in np.ndindex(sums.shape):
        rows = [min(4 * i + k, picture.shape[0] - 1) for k in range(4)]
        columns = [min(4 * j + k, picture.shape[1] - 1) for k in range(4)]
        assert sums[i, j, c] == sum(int(picture[y, x, c]) for y in rows for x in columns)


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))), st.integers(0, 7))
def test_dilation(blocks, margin):
    expected = np.zeros_like(blocks)
    for y, x in np.argwhere(blocks):
        expected[max(0, y - margin) : y + margin + 1, max(0, x - margin) : x + margin + 1] = True
    assert np.array_equal(dilated(blocks, margin), expected)


def test_a_picture_of_another_shape_or_type_is_refused():
    gate = Gate(Regions(), (8, 24), 3)
    for picture, got in ((grey(8, 9), "uint8 8×9×3"), (grey(8, 24).astype(np.int16), "int16 8×24×3")):
        with pytest.raises(DataError, match=f"the gate takes uint8 8×24×3; got {got}"):
            gate.step(gate.first(), picture)
