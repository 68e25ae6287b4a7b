"""Pieces of a clip: where they begin, and that together they are the clip."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.comparison.references import PIECE, PIECES, ScoredClip

SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=30)


def spans_of(gaps_and_lengths):
    spans, end = [], 0
    for gap, length in gaps_and_lengths:
        spans.append(range(end + gap, end + gap + length))
        end += gap + length
    return tuple(spans)


@given(SPANS, st.integers(1, 6), st.booleans())
def test_pieces_are_the_clip_and_begin_with_keyframes(drawn, cycle, goes_on):
    spans = spans_of(drawn)
    scored = ScoredClip(None, spans)
    pieces = scored.pieces(cycle, goes_on)
    assert sum((piece.spans for piece in pieces), ()) == spans and all(piece.spans for piece in pieces)
    assert [piece.first for piece in pieces] == [
        sum(len(span) for before in pieces[:i] for span in before.spans) for i in range(len(pieces))
    ]
    assert len(pieces) <= min(PIECES, max(1, round(scored.count / PIECE)))
    for before, piece in pairwise(pieces):
        begin = piece.spans[0].start
        if before.spans[-1].stop == begin:  # no seek: a multiple of the cycle from the last one
            assert not goes_on
            run = begin
            for span in reversed(spans[: spans.index(piece.spans[0])]):
                if span.stop != run:
                    break
                run = span.start
            assert (begin - run) % cycle == 0


@pytest.mark.parametrize(("runs", "length", "pieces"), [(10, 6, 2), (20, 12, 4), (40, 12, 4), (2, 6, 1)])
def test_pieces_are_about_equal(runs, length, pieces):
    spans = tuple(range(30 * i, 30 * i + length) for i in range(runs))
    counts = [sum(map(len, piece.spans)) for piece in ScoredClip(None, spans).pieces(3, True)]
    assert len(counts) == pieces and max(counts) - min(counts) <= length


def test_a_labelled_clip_is_one():
    spans = tuple(range(30 * i, 30 * i + 12) for i in range(10))
    assert len(ScoredClip(None, spans, score=dict).pieces(1, False)) == 1
