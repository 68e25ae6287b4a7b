"""Comparisons in parts: whatever runs them, and whatever was done before, the results are the same."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.comparison import kept_rows, parts, references
from videoquant.comparison.loop import passed
from videoquant.comparison.parts import compare_clips
from videoquant.comparison.references import ScoredClip
from videoquant.comparison.workers import Processes, one_by_one
from videoquant.data.clip import Clip
from videoquant.report.results import to_dict
from videoquant.torch_settings import threads_of_pytorch

SCHEMES = ("fp32", "w8a8", "w8a8->w4a4 T=3 ds=1%", "w8a8->w4a8 T=3 adaptive tau=2", "w8a4 qpp")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """PyTorch's convolutions round by the number of threads."""
    with threads_of_pytorch(1):
        yield


@pytest.fixture(scope="module")
def network():
    network = small_network()
    network.preprocessing = replace(network.preprocessing, task="segmentation")
    return network


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("clips"), []
    for seed, name in enumerate(("day", "night")):
        (folder / name).mkdir()
        for i, frame in enumerate(moving_frames(8, seed=seed)):
            pixels = (255 * frame[0].permute(1, 2, 0).clamp(0, 1)).numpy().astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
        made.append(ScoredClip(vq.frames(folder / name), (range(3), range(4, 7)), (2, 6)))
    return made


@pytest.fixture(scope="module")
def quantized(network):
    return [vq.quantize(network, text, moving_frames(24)) for text in SCHEMES]


def compared(network, quantized, clips, run=one_by_one, cache=None, streams=None, steps=None):
    steps = [] if steps is None else steps
    return compare_clips(network, quantized, clips, "", False, steps.append, run, cache, streams)


def plain(comparison):
    """All that a comparison says, and its pictures."""
    pictures = [row.pictures for row in comparison.rows]
    return to_dict(comparison, {"version": "any"}), pictures


@pytest.fixture(scope="module")
def expected(network, quantized, clips):
    found = compared(network, quantized, clips)
    assert found.frames == 12 and found.clips == ("day", "night") and found.drawn == [2, 5, 8, 11]
    assert all(len(row.pictures) == 4 for row in found.rows)
    return plain(found)


def test_side_by_side_gives_what_one_process_gives(network, quantized, clips, expected):
    with Processes(2) as run:
        assert plain(compared(network, quantized, clips, run)) == expected


def test_by_turns_gives_what_one_scheme_after_the_other_gives(network, quantized, clips, expected):
    steps = []
    found = compared(network, quantized, clips, streams=[q.stream() for q in quantized], steps=steps)
    assert plain(found) == expected
    assert len(steps) == 12 * len(SCHEMES)


def test_one_clip_is_what_compare_gives(network, quantized, clips):
    scored = clips[0]
    frames = scored.clip.runs(scored.spans)
    expected = vq.compare(network, quantized, frames, "day", picture_frames=scored.picture_frames)
    assert plain(compared(network, quantized, [scored])) == plain(expected)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(references, "PIECE", 2)


def test_a_clip_in_pieces_gives_what_it_gives_as_one(
    network, quantized, clips, expected, tmp_path, small_pieces
):
    assert len(clips[0].pieces(3, False)) == 2
    steps = []
    with Processes(2) as run:
        assert plain(compared(network, quantized, clips, run, tmp_path, steps=steps)) == expected
    assert len(steps) == 12 * len(SCHEMES)
    # What was measured piece by piece is found again by one process, and none is measured anew.
    count = len(list(tmp_path.iterdir()))
    assert plain(compared(network, quantized, clips, cache=tmp_path)) == expected
    assert len(list(tmp_path.iterdir())) == count == 2 * len(clips) * len(SCHEMES)


def test_one_scheme_on_a_whole_clip_has_work_for_several(network, quantized, clips, small_pieces):
    scored = replace(clips[0], spans=(range(3), range(3, 6), range(6, 8)))
    assert [piece.spans for piece in scored.pieces(3, False)] == [(span,) for span in scored.spans]
    frames = scored.clip.runs(scored.spans)
    expected = vq.compare(network, quantized[2:3], frames, "day", picture_frames=scored.picture_frames)
    with Processes(2) as run:
        assert plain(compared(network, quantized[2:3], [scored], run)) == plain(expected)


def stopped(count):
    """A runner that is stopped after so many tasks."""

    def run(tasks, progress):
        for number, result in one_by_one(tasks, progress):
            yield number, result
            if number + 1 == count:
                return

    return run


def test_what_was_stopped_goes_on_behind_what_is_done(
    network, quantized, clips, expected, tmp_path, monkeypatch
):
    # The first clip of all schemes, the second of two.
    found = compared(network, quantized, clips, stopped(len(SCHEMES) + 2), tmp_path)
    assert not found.complete and [row.scheme for row in found.rows] == list(SCHEMES[:2])
    scored, steps = [], []

    def counted(network, quantized, frames, *rest, **more):
        first = next(frames)
        scored.append((str(quantized[0].scheme), int(first.pixels.sum())))
        return passed(network, quantized, itertools.chain([first], frames), *rest, **more)

    night = int(next(iter(clips[1].clip)).pixels.sum())
    monkeypatch.setattr(parts, "passed", counted)
    assert plain(compared(network, quantized, clips, cache=tmp_path, steps=steps)) == expected
    assert scored == [(text, night) for text in SCHEMES[2:]]
    assert len(steps) == 12 * len(SCHEMES)
    assert plain(compared(network, quantized, clips, cache=tmp_path)) == expected
    assert len(scored) == len(SCHEMES[2:])


def test_a_clip_is_read_once_for_all_schemes(network, quantized, clips, tmp_path, monkeypatch):
    read, runs = [], Clip.runs

    def counted(clip, spans):
        read.append(clip.name)
        return runs(clip, spans)

    monkeypatch.setattr(Clip, "runs", counted)
    compared(network, quantized[:3], clips, cache=tmp_path)
    assert read == ["day", "night"]


def test_nothing_done_is_no_result(network, quantized, clips):
    with pytest.raises(KeyboardInterrupt):
        compared(network, quantized, clips, lambda *_: iter(()))


def test_other_frames_and_other_networks_are_measured_anew(network, quantized, clips, tmp_path):
    one = partial(compared, cache=tmp_path)
    one(network, quantized[:2], clips[:1])
    count = len(list(tmp_path.iterdir()))
    one(network, quantized[:2], [replace(clips[0], spans=(range(4),))])
    assert len(list(tmp_path.iterdir())) == 2 * count
    other = small_network(seed=1)
    other.preprocessing = network.preprocessing
    one(other, [vq.quantize(other, text, moving_frames(24)) for text in SCHEMES[:2]], clips[:1])
    assert len(list(tmp_path.iterdir())) == 3 * count


def test_a_folder_that_takes_no_files_is_a_warning(network, quantized, clips, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="results are not kept: .*file") as said:
        compared(network, quantized[:2], clips[:1], cache=tmp_path / "file")
    assert len([warning for warning in said if "not kept" in str(warning.message)]) == 1


def test_a_damaged_entry_is_measured_anew(network, quantized, clips, tmp_path):
    expected = plain(compared(network, quantized[:1], clips[:1], cache=tmp_path))
    (entry,) = tmp_path.glob(f"*{kept_rows.SUFFIX}")
    entry.write_bytes(entry.read_bytes()[:-1])
    assert plain(compared(network, quantized[:1], clips[:1], cache=tmp_path)) == expected
    assert len(list(tmp_path.iterdir())) == 1
