"""`videoquant run` on clips that change, or break, in the middle: what is written stays."""

import numpy as np
import pytest
from PIL import Image

import videoquant as vq


@pytest.fixture(scope="module")
def file(small, clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("quantized") / "net.vq"
    vq.save(vq.quantize(vq.load(small), "w8a8", vq.frames(clip)), path)
    return path


def pictures(folder, sizes):
    folder.mkdir()
    for index, (height, width) in enumerate(sizes):
        grey = np.full((height, width, 3), 20 * index, np.uint8)
        Image.fromarray(grey).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("engine", ["exact", "simulate"])
def test_a_clip_that_changes_its_size_is_written_whole_in_its_first(command, file, tmp_path, engine):
    folder = pictures(tmp_path / "sizes", [(48, 64)] * 2 + [(64, 48), (24, 32), (48, 64)])
    code, out, err = command("run", file, "--video", folder, "-o", "out.mp4", "--engine", engine)
    written = vq.frames(tmp_path / "out.mp4")
    assert code == 0 and err == "" and "5 frames" in out
    assert (written.size, len(written)) == ((48, 64), 5)


@pytest.mark.parametrize("engine", ["frame", "simulate"])
def test_residuals_gain_nothing_on_mixed_sizes_and_that_is_said(command, small, clip, tmp_path, engine):
    vq.save(vq.quantize(vq.load(small), "w8a8->w4a4 T=3", vq.frames(clip)), tmp_path / "residual.vq")
    folder = pictures(tmp_path / "sizes", [(48, 64), (64, 48)] * 2)
    code, _, err = command("run", "residual.vq", "--video", folder, "-o", "out.mp4", "--engine", engine)
    assert code == 0 and err.startswith("videoquant: warning: frames have different sizes: ")


def test_frames_before_a_damaged_one_are_kept(command, file, tmp_path):
    folder = pictures(tmp_path / "damaged", [(48, 64)] * 5)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:60])
    code, _, err = command("run", file, "--video", folder, "-o", "out.mp4")
    assert code == 2 and err.count("\n") == 1
    assert "3.png: is damaged" in err and err.endswith("; the 3 frames before it are in out.mp4\n")
    assert len(vq.frames(tmp_path / "out.mp4")) == 3
