"""The experiments on CamVid, at a tiny size."""

import json
from pathlib import Path

import common
import labelled
import numpy as np
import pytest
import resq_camvid
import resq_table2
from PIL import Image

from tests.camvid import FRAMES, HEIGHT, WIDTH

SCHEMES = ("fp32", "w8a8", "w2a2", "w8a8->w4a4 T=3")


def is_drawn(path: Path) -> bool:
    with Image.open(path) as picture:
        colors = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
        return picture.width == 1100 and len(colors) > 100


def test_against_cost(video, tmp_path):
    results = resq_camvid.measure(video, SCHEMES)
    assert results["frames"] == FRAMES and results["size"] == [HEIGHT, WIDTH]
    rows = results["rows"]
    assert list(rows) == list(SCHEMES)
    assert rows["fp32"]["agreement"]["mask_iou"] == 1 > rows["w2a2"]["agreement"]["mask_iou"]
    for row in rows.values():
        assert row["accuracy"]["miou"] == pytest.approx(np.mean(list(row["accuracy_by_label"].values())))
        assert row["accuracy"]["miou"] == pytest.approx(common.miou(np.array(row["tallies"])))
    resq_camvid.draw(results)
    assert is_drawn(tmp_path / "resq_camvid.png")


def test_table2(video, tmp_path, capsys):
    resq_table2.draw(resq_table2.measure(video))
    assert is_drawn(tmp_path / "resq_table2.png")
    printed = capsys.readouterr().out
    assert all(scheme in printed for scheme in resq_table2.PAPER)


def test_rows_are_stored_as_they_come_and_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    calls = []

    def measure(key, fails=()):
        calls.append(key)
        if key in fails:
            raise KeyboardInterrupt
        return {"key": key}

    about = {"frames": 3}
    with pytest.raises(KeyboardInterrupt):
        labelled.measured("x", about, "abc", lambda key: measure(key, "b"))
    assert list(json.loads((tmp_path / "x.json").read_text())["rows"]) == ["a"]
    rows = labelled.measured("x", about, "abc", measure)["rows"]
    assert calls == list("abbc") and list(rows) == list("abc")
    labelled.measured("x", about, "abc", measure)
    assert calls == list("abbc")
    labelled.measured("x", about, "abc", measure, again=True)
    labelled.measured("x", {"frames": 4}, "a", measure)  # other data: nothing stored stands beside it
    assert calls == list("abbcabca")
    assert list(json.loads((tmp_path / "x.json").read_text())["rows"]) == ["a"]
