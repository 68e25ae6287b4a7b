"""Tracks of a reference, and how many of them an output keeps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.tasks.detection.boxes import Boxes, overlaps
from videoquant.tasks.detection.tracks_kept import Kept, TracksKept


def boxes(*lefts, label=0):
    """Boxes of 20×20 pixels, each with its left edge; from 0.5 of overlap on two of them are the same."""
    corners = [(left, 0, left + 20, 20) for left in lefts]
    return Boxes.of(np.array(corners, np.float32).reshape(-1, 4), [0.9] * len(lefts), [label] * len(lefts))


def counted(reference, output):
    kept = TracksKept()
    for one, other in zip(reference, output, strict=True):
        kept.update(one, other)
    return kept.result()


def test_what_moves_by_a_little_is_one_track_and_what_jumps_are_two():
    walks = [boxes(0), boxes(4), boxes(8), boxes(12)]
    assert counted(walks, walks) == Kept(4, 4, 1, 1)
    jumps = [boxes(0), boxes(4), boxes(40), boxes(44)]
    assert counted(jumps, jumps) == Kept(4, 4, 2, 2)
    gone = [boxes(0), boxes(0), boxes(), boxes(0), boxes(0)]
    assert counted(gone, gone) == Kept(4, 4, 2, 2)


def test_a_box_of_one_frame_is_no_track_and_classes_are_apart():
    assert counted([boxes(), boxes(0), boxes()], [boxes()] * 3) == Kept(1, 0, 0, 0)
    changes = [boxes(0), boxes(0, label=1), boxes(0)]
    assert counted(changes, changes) == Kept(3, 3, 0, 0)


def test_half_of_its_boxes_keep_a_track_and_less_do_not():
    stands = [boxes(0)] * 4
    assert counted(stands, [boxes(3), boxes(), boxes(), boxes(3)]) == Kept(4, 2, 1, 1)
    assert counted(stands, [boxes(3), boxes(), boxes(), boxes(13)]) == Kept(4, 1, 1, 0)
    both = [boxes(0, 100)] * 2
    assert counted(both, [boxes(100), boxes(100, 200)]) == Kept(4, 2, 2, 1)


def test_a_result_can_be_asked_for_on_the_way():
    kept = TracksKept()
    assert kept.result() == Kept(0, 0, 0, 0)
    kept.update(boxes(0), boxes(0))
    kept.update(boxes(0), boxes())
    assert kept.result() == kept.result() == Kept(2, 1, 1, 1)
    kept.update(boxes(0), boxes())
    assert kept.result() == Kept(3, 1, 1, 0)


def chains(frames):
    """Tracks by the definition: chains of (frame, box), where no two boxes of a frame lie close."""
    found = []
    for place, frame in enumerate(frames):
        for index in range(len(frame)):
            for chain in found:
                at, other = chain[-1]
                near = overlaps(frames[at].corners[[other]], frame.corners[[index]])[0, 0] >= 0.5
                if at == place - 1 and near:
                    chain.append((place, index))
                    break
            else:
                found.append([(place, index)])
    return [chain for chain in found if len(chain) > 1]


lefts = st.lists(st.lists(st.sampled_from([0, 5, 11]), max_size=1), min_size=1, max_size=8)


@given(a=lefts, b=lefts, c=lefts, d=lefts)
def test_counts_are_those_of_the_definition(a, b, c, d):
    count = min(map(len, (a, b, c, d)))
    reference = [boxes(*a[i], *(100 + left for left in b[i])) for i in range(count)]
    output = [boxes(*c[i], *(100 + left for left in d[i])) for i in range(count)]
    found = [(overlaps(x.corners, y.corners) >= 0.5).any(1) for x, y in zip(reference, output, strict=True)]
    tracks = chains(reference)
    kept = [chain for chain in tracks if 2 * sum(found[i][j] for i, j in chain) >= len(chain)]
    counts = Kept(sum(map(len, reference)), sum(f.sum() for f in found), len(tracks), len(kept))
    assert counted(reference, output) == counts
