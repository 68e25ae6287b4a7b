"""Commands find the calibrations of before, or do not look; what calibration warns of is printed."""

import numpy as np
from PIL import Image

from videoquant import calibration_cache


def test_a_second_run_finds_what_the_first_one_learnt(command, small, clip, tmp_path, monkeypatch):
    given = ("quantize", small, "--scheme", "w8a8", "--video", clip, "-o", "a.vq")
    assert command(*given, "--no-cache")[0] == 0 and not (tmp_path / "cache").exists()
    assert command(*given)[0] == 0
    (entry,) = (tmp_path / "cache" / "videoquant").iterdir()
    assert command(*given, "--cache", tmp_path / "mine")[0] == 0
    assert len(list((tmp_path / "mine").iterdir())) == 1
    monkeypatch.setattr(calibration_cache, "learn", None)
    assert command(*given)[0] == 0
    assert list(entry.parent.iterdir()) == [entry]


def test_what_calibration_warns_of_is_printed(command, small, tmp_path):
    (tmp_path / "still").mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8))
    for name in "abcd":
        picture.save(tmp_path / "still" / f"{name}.png")
    code, _, err = command("quantize", small, "--scheme", "w8a8", "--video", "still", "-o", "a.vq")
    assert code == 0
    assert "videoquant: warning: w8a8: calibration shows too little: all frames are one picture" in err
