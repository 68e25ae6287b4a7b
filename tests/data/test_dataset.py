import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from videoquant.calibration.sampling import cut
from videoquant.data.dataset import Dataset, LabelledFrame, Sample
from videoquant.data.targets import ClassLabel
from videoquant.errors import DataError


def picture(value: int) -> np.ndarray:
    return np.full((2, 3, 3), value, np.uint8)


def broken() -> np.ndarray:
    raise AssertionError("a sample was read that nobody asked for")


def dataset(*clips: int) -> Dataset:
    """A sequence of each of the given lengths; pixels count from 0, the first frame of each is labelled."""
    samples: list[Sample] = []
    for clip, length in enumerate(clips):
        for index in range(length):
            number = len(samples)
            target = partial(ClassLabel, number) if index == 0 else None
            samples.append(Sample(f"{number}", f"clip{clip}", index, partial(picture, number), target))
    return Dataset("numbers", "classification", "val", ("train", "val"), samples)


def test_samples_and_slices():
    data = dataset(2, 3)
    assert len(data) == 5 and [sample.name for sample in data] == ["0", "1", "2", "3", "4"]
    assert data[3].pixels[0, 0, 0] == 3 and data[-1].name == "4"
    assert data[2].is_labelled and data[2].target == ClassLabel(2)
    assert not data[1].is_labelled and data[1].target is None
    part = data[1:4]
    assert isinstance(part, Dataset) and (len(part), part.name, part.split) == (3, "numbers", "val")
    assert part.clips == {"clip0": range(1), "clip1": range(1, 3)}
    with pytest.raises(DataError, match=r"^numbers#val: holds no samples$"):
        data[5:]


def test_sequences_are_found_without_reading():
    samples = [Sample(f"{i}", "ab"[i // 2], i % 2, broken, broken) for i in range(4)]
    data = Dataset("lazy", "pose", "x", ("x",), samples)
    assert data.clips == {"a": range(2), "b": range(2, 4)}
    assert data.is_video and not dataset(1, 1, 1).is_video


def test_frames_of_a_new_sequence_look_like_a_seek():
    clip = dataset(2, 1, 2).clip()
    assert (clip.name, clip.size, len(clip), clip.rate) == ("numbers#val", (2, 3), 5, 25.0)
    frames = list(clip)
    assert [frame.index for frame in frames] == [0, 1, 3, 5, 6]
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1, 2, 3, 4]
    assert all(isinstance(frame, LabelledFrame) for frame in frames)
    assert [frame.sample.target is not None for frame in frames] == [True, False, True, True, False]


def test_spans_count_positions():
    frames = list(dataset(2, 1, 2).clip().runs([range(1, 3), range(4, 9)]))
    assert [frame.sample.name for frame in frames] == ["1", "2", "4"]
    assert [frame.index for frame in frames] == [1, 3, 6]


def test_calibration_never_joins_two_sequences():
    class Prepare:
        def prepare(self, frame: LabelledFrame) -> torch.Tensor:
            return torch.tensor(int(frame.pixels[0, 0, 0]))

    clips = cut(Prepare(), dataset(2, 1, 4).clip(), length=3)
    assert [[int(x) for x in clip] for clip in clips] == [[0, 1], [2], [3, 4, 5], [6]]


def test_one_sequence_by_name():
    data = dataset(2, 3)
    assert [(f.index, f.sample.name) for f in data.clip("clip1")] == [(0, "2"), (1, "3"), (2, "4")]
    with pytest.raises(DataError, match=r"^numbers#val: has no sequence 'clip9'$"):
        data.clip("clip9")


def test_data_sets_travel_to_other_processes():
    copy = pickle.loads(pickle.dumps(dataset(2)))
    assert copy[1].pixels[0, 0, 0] == 1 and copy[0].target == ClassLabel(0)


def test_real_camvid_is_one_labelled_video(shared_data: Path):
    import videoquant as vq

    data = vq.data.open(f"camvid:{shared_data / 'camvid'}")
    assert isinstance(data, Dataset) and data.is_video
    assert data.clips == {"0016E5_07959": range(101)}
    clip = data.clip()
    assert (clip.size, clip.rate) == ((360, 480), 15.0)
    assert [frame.index for frame in clip.runs([range(98, 200)])] == [98, 99, 100]
