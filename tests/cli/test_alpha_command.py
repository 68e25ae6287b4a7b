"""`videoquant alpha` as a user runs it."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from videoquant.calibration.alpha import LADDER
from videoquant.calibration.sampling import calibration_clips


def test_it_prints_the_curve_and_writes_json_and_plot(small, command, clip, tmp_path):
    code, out, err = command(
        *("alpha", small, "--video", clip, "--scheme", "w8a3 minmax", "--json", "a.json", "--plot", "a.svg")
    )
    assert code == 0 and err == ""
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["network"] == "bright" and data["source"] == "disc.mp4" and data["frames"] == 16
    best = max(data["points"], key=lambda point: point["sqnr_db"])
    assert data["best"] == best["alpha"]
    assert data["scheme"] == f"w8a3 quantile={best['alpha']}"
    assert f"scheme: {data['scheme']}\n" in out
    assert "on 16 frames of disc.mp4" in out and "plot: a.svg" in out
    (marked,) = (line for line in out.splitlines() if line.startswith("*"))
    assert marked.split() == [
        *("*", f"{best['alpha']:.6g}", f"{best['sqnr_db']:.2f}", f"{best['agreement']['mask_iou']:.3f}")
    ]
    ET.parse(tmp_path / "a.svg")


def test_it_measures_the_frames_that_quantize_takes(small, command, clip, tmp_path):
    scheme = vq.Scheme.parse("w8a8->w8a3 T=4")
    code, _, _ = command(
        "alpha", small, "--video", clip, "--scheme", scheme, "--json", "a.json", "--exhaustive"
    )
    assert code == 0
    data = json.loads((tmp_path / "a.json").read_text())
    network = vq.load(small)
    clips = calibration_clips(network, vq.frames(clip), scheme)
    curve = vq.search_alpha(network, scheme, clips, exhaustive=True)
    assert set(LADDER) <= {point["alpha"] for point in data["points"]}
    assert data["frames"] == curve.frames == sum(map(len, clips))
    assert [point["sqnr_db"] for point in data["points"]] == [point.sqnr_db for point in curve.points]


BAD = {
    "Dense + Sparse": (["--scheme", "w8a4 ds=1%"], "no α to search"),
    "floating point": (["--scheme", "fp32"], "no α to search"),
    "json nowhere": (["--scheme", "w8a4", "--json", "no/a.json"], "no/a.json"),
    "json on a folder": (["--scheme", "w8a4", "--json", "."], "folder"),
    "plot nowhere": (["--scheme", "w8a4", "--plot", "no/a.svg"], "no/a.svg"),
    "plot suffix": (["--scheme", "w8a4", "--plot", "a.pdf"], "one of .svg, .png"),
    "two sources": (["--scheme", "w8a4", "--images", "."], "give one of"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_line_before_the_work(case, small, command, clip, tmp_path, monkeypatch):
    def search(*_):
        raise AssertionError("searched all the same")

    monkeypatch.setattr("videoquant.cli.alpha.search_alpha", search)
    arguments, text = BAD[case]
    code, out, err = command("alpha", small, "--video", clip, *arguments)
    assert code == 2 and out == ""
    assert text in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_stills_have_no_time_axis(small, command, tmp_path):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    code, _, err = command("alpha", small, "--images", tmp_path, "--scheme", "w8a8->w4a4")
    assert code == 2 and "needs a video; stills have no frame before them" in err
