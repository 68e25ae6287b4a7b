from pathlib import Path

import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import Objects
from videoquant.errors import DataError


def write(root: Path, video: str, lines: str, frames: int = 2, rate: int = 14) -> Path:
    folder = root / "train" / video
    for frame in range(frames):
        save(folder / f"img1/{frame + 1:06d}.jpg", value=frame, size=(8, 10))
    (folder / "gt").mkdir()
    (folder / "gt/gt.txt").write_text(lines)
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={rate}\n")
    return folder


@pytest.fixture
def mot(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "MOT17-02",
        "2,7,2,3,4,2,1,1,0.8\n2,9,-1,1,4,4,0,1,1\n2,5,3,3,2,2,1,8,1\n2,4,30,1,5,5,1,1,0\n",
    )
    write(tmp_path, "MOT17-04", "1,1,1,1,2,2,1,-1,-1,-1\n")
    return tmp_path


def test_boxes_are_numbered_through_the_video(mot: Path):
    data = vq.data.open(f"mot:{mot}")
    assert (data.task, data.split, data.labels, data.rate) == ("detection", "train", ("person",), 14)
    assert data.clips == {"MOT17-02": range(2), "MOT17-04": range(2, 4)}
    assert len(data[0].target.corners) == 0
    target = data[1].target
    assert isinstance(target, Objects)
    # Pixels from 0; the box that reaches past the edge is cut, the one that is not seen is left out.
    assert target.corners.tolist() == [[1, 2, 5, 4], [0, 0, 2, 4], [2, 2, 4, 4]]
    assert target.tracks.tolist() == [7, 9, 5]
    assert target.ignored.tolist() == [False, True, True]  # not counted; no pedestrian
    assert data[2].target.ignored.tolist() == [False]  # MOT15 has no classes


def test_one_video_s_own_folder(mot: Path):
    data = vq.data.open(f"mot:{mot / 'train/MOT17-04'}")
    assert data.clips == {"MOT17-04": range(2)}
    with pytest.raises(DataError, match="is one video, which has no splits"):
        vq.data.open(f"mot:{mot / 'train/MOT17-04'}#train")


@pytest.mark.parametrize("line", ["1,2,3", "a,b,c,d,e,f,g", "0,1,1,1,2,2,1", "1,1,nan,1,2,2,1", "1;2;3"])
def test_lines_that_are_no_boxes_are_refused(tmp_path: Path, line: str):
    write(tmp_path, "v", f"1,1,1,1,2,2,1\n{line}\n")
    with pytest.raises(DataError) as error:
        _ = vq.data.open(f"mot:{tmp_path}")[0].target
    assert str(error.value).endswith(
        f"gt.txt, line 2: {line!r} is not frame, track, left, top, width, height, 1"
    )


def test_missing_labels_are_an_error_but_in_the_test_split(mot: Path):
    (mot / "train/MOT17-04/gt/gt.txt").unlink()
    with pytest.raises(DataError, match=r"MOT17-04: lacks gt/gt\.txt"):
        vq.data.open(f"mot:{mot}")
    (mot / "train").rename(mot / "test")
    data = vq.data.open(f"mot:{mot}#test")
    assert data[1].is_labelled and not data[3].is_labelled


def test_a_damaged_seqinfo_is_named(mot: Path):
    (mot / "train/MOT17-04/seqinfo.ini").write_text("frameRate=30")
    with pytest.raises(DataError, match=r"seqinfo\.ini: is damaged"):
        vq.data.open(f"mot:{mot}")
