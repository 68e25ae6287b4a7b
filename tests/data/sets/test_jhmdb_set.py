from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import Joints
from videoquant.errors import DataError


def write_video(root: Path, action: str, video: str, frames: int) -> np.ndarray:
    """A video of 8×10 whose joints lie at x = 2, 3 … 16 (as MATLAB counts) and y = frame + 1."""
    folder = root / "joint_positions" / action / video
    folder.mkdir(parents=True)
    positions = np.zeros((2, 15, frames))
    positions[0] = np.arange(2, 17)[:, None]
    positions[1] = np.arange(1, frames + 1)
    savemat(folder / "joint_positions.mat", {"pos_img": positions, "scale": np.ones((1, frames))})
    for frame in range(frames):
        file = root / "Rename_Images" / action / video / f"{frame + 1:05d}.png"
        save(file, value=frame, size=(8, 10))
    return positions


@pytest.fixture
def jhmdb(tmp_path: Path) -> Path:
    for action, video, frames in (("catch", "b", 3), ("catch", "a (1)", 1), ("wave", "c", 2)):
        write_video(tmp_path, action, video, frames)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/catch_test_split1.txt").write_text("b.avi 2\na (1).avi 2\n")
    (tmp_path / "splits/wave_test_split1.txt").write_text("c.avi 1 \n")
    (tmp_path / "splits/catch_test_split2.txt").write_text("b.avi 0\na (1).avi 1\n")
    (tmp_path / "splits/wave_test_split2.txt").write_text("c.avi 2\n")
    return tmp_path


def test_splits_name_the_videos(jhmdb: Path):
    clips = {s: vq.data.open(f"jhmdb:{jhmdb}#{s}").clips for s in ("test1", "train1", "train2", "test2")}
    assert clips == {
        "test1": {"catch/a (1)": range(1), "catch/b": range(1, 4)},
        "train1": {"wave/c": range(2)},
        "train2": {"catch/a (1)": range(1)},
        "test2": {"wave/c": range(2)},
    }
    data = vq.data.open(f"jhmdb:{jhmdb}")
    assert (data.split, data.splits) == ("test1", ("train1", "test1", "train2", "test2", "train3", "test3"))
    assert (data.task, data.rate, len(data.labels)) == ("pose", 30.0, 15)


def test_joints_count_pixels_from_0_and_those_outside_are_not_visible(jhmdb: Path):
    data = vq.data.open(f"jhmdb:{jhmdb}")
    sample = data[3]
    assert sample.name == "catch/b/00003" and sample.index == 2 and (sample.pixels == 2).all()
    target = sample.target
    assert isinstance(target, Joints) and target.points.dtype == np.float32
    assert target.points.tolist() == [[x, 2] for x in range(1, 16)]
    assert target.visible.tolist() == [True] * 9 + [False] * 6  # the frame is 10 wide: x ≤ 9
    assert target.box == (1, 2, 8, 0)


def test_a_video_of_one_frame(jhmdb: Path):
    target = vq.data.open(f"jhmdb:{jhmdb}")[0].target
    assert isinstance(target, Joints) and target.points.shape == (15, 2)


def test_parts_that_are_missing(jhmdb: Path):
    with pytest.raises(DataError, match=r"splits: holds no ACTION_test_split3\.txt$"):
        vq.data.open(f"jhmdb:{jhmdb}#test3")
    (jhmdb / "joint_positions/catch/b/joint_positions.mat").unlink()
    message = r"joint_positions: lacks catch/b/joint_positions\.mat, a part of JHMDB; give the folder"
    with pytest.raises(DataError, match=message):
        vq.data.open(f"jhmdb:{jhmdb}")
    (jhmdb / "Rename_Images").rename(jhmdb / "frames")
    with pytest.raises(DataError, match=rf"^{jhmdb}: lacks Rename_Images, a part of JHMDB"):
        vq.data.open(f"jhmdb:{jhmdb}")


def test_a_split_file_is_malformed(jhmdb: Path):
    (jhmdb / "splits/catch_test_split1.txt").write_text("b.avi\n")
    with pytest.raises(DataError, match=r"catch_test_split1\.txt: has the line 'b\.avi'; lines are VIDEO"):
        vq.data.open(f"jhmdb:{jhmdb}")


def refusal(root: Path, variables: dict[str, np.ndarray] | bytes) -> str:
    """What is said of the third frame of catch/b when its .mat file holds these variables."""
    file = root / "joint_positions/catch/b/joint_positions.mat"
    if isinstance(variables, bytes):
        file.write_bytes(variables)
    else:
        savemat(file, variables)
    with pytest.raises(DataError) as error:
        _ = vq.data.open(f"jhmdb:{root}")[3].target
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{file}: ")


def test_a_key_is_missing(jhmdb: Path):
    got = refusal(jhmdb, {"pos_world": np.zeros((2, 15, 3)), "scale": np.ones((1, 3))})
    assert got == "lacks the variable pos_img; it holds pos_world, scale"


def test_joints_of_another_shape(jhmdb: Path):
    assert refusal(jhmdb, {"pos_img": np.zeros((2, 13, 3))}) == "pos_img is 2×13×3; it should be 2×15×frames"


def test_fewer_joints_than_frames(jhmdb: Path):
    got = refusal(jhmdb, {"pos_img": np.zeros((2, 15, 2))})
    frame = jhmdb / "Rename_Images/catch/b/00003.png"
    assert got == f"has joints for 2 frames; {frame} is frame 3"


@pytest.mark.parametrize("content", [b"", b"no MATLAB file", b"MATLAB 7.3 MAT-file" + bytes(200)])
def test_a_file_that_is_no_matlab_file(jhmdb: Path, content: bytes):
    assert refusal(jhmdb, content).startswith("cannot be read as a MATLAB file")
