"""The experiments on CamVid, at a tiny size."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import common
import labelled
import numpy as np
import pytest
import resq_camvid
import resq_dynamic
import resq_figure3
import resq_table1
import resq_table2
import resq_videoiq
import torch
from PIL import Image
from scipy.io import savemat
from torch import nn

import videoquant as vq
from tests.camvid import FRAMES, HEIGHT, WIDTH, write_squares
from videoquant.models.mobilenet_v2 import MOBILENET_V2
from videoquant.tasks import task_for
from videoquant.training import policy_file

SCHEMES = ("fp32", "w8a8", "w2a2", "w8a8->w4a4 T=3")


def is_drawn(path: Path) -> bool:
    with Image.open(path) as picture:
        colors = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
        return picture.width == 1100 and len(colors) > 100


def test_against_cost(video, tmp_path):
    results = resq_camvid.measure(video, "resq", SCHEMES)
    assert results["frames"] == FRAMES and results["size"] == [HEIGHT, WIDTH]
    rows = results["rows"]
    assert list(rows) == list(SCHEMES)
    assert rows["fp32"]["agreement"]["mask_iou"] == 1 > rows["w2a2"]["agreement"]["mask_iou"]
    for row in rows.values():
        assert row["accuracy"]["miou"] == pytest.approx(np.mean(list(row["accuracy_by_label"].values())))
        assert row["accuracy"]["miou"] == pytest.approx(common.miou(np.array(row["tallies"])))
    assert rows["w2a2"]["scheme"] == "w2a2 pool=mean no-bias-correction head=2 tail=2"
    resq_camvid.draw({"default": resq_camvid.measure(video, "default", SCHEMES), "resq": results})
    assert is_drawn(tmp_path / "resq_camvid.png")


def test_table2(video, tmp_path, capsys):
    found = [resq_table2.measure(video, convention) for convention in labelled.CONVENTIONS]
    resq_table2.draw(found)
    assert is_drawn(tmp_path / "resq_table2.png")
    printed = capsys.readouterr().out
    assert all(printed.count(scheme) == 2 for scheme in (f"\n{text}" for text in resq_table2.PAPER))
    # Each convention has a file of its own, whose schemes say what it sets.
    stored = [json.loads((tmp_path / f"resq_table2_{name}.json").read_text()) for name in ("default", "resq")]
    words = [results["rows"]["w8a8->w4a4 T=3"]["scheme"] for results in stored]
    assert "head=2 tail=2" not in words[0] and "head=2 tail=2" in words[1]


def test_table1_takes_calibration_and_every_seed(video, tmp_path, monkeypatch, capsys):
    """Trainings of a seed stand in for themselves: the networks of two seeds are w8a8 and w4a4."""
    seeds = {0: "w8a8", 1: "w4a4"}
    made = lambda video, scheme, convention, options, seed: video.calibrate(seeds[seed], convention)  # noqa: E731
    monkeypatch.setattr(resq_table1, "trained", made)
    options = SimpleNamespace(schemes=["w2a2"], seeds=[0, 1], again=False, network=labelled.NAME)
    results = resq_table1.measure(video, "resq", options)
    assert list(results["rows"]) == ["fp32", "w2a2", "w2a2 trained 0", "w2a2 trained 1"]
    gains = [
        common.miou(resq_table1.tallies(results, key)) - common.miou(resq_table1.tallies(results, "w2a2"))
        for key in ("w2a2 trained 0", "w2a2 trained 1")
    ]
    low, high = resq_table1.interval(results, "w2a2")
    assert low < np.mean(gains) < high
    assert f"{100 * np.mean(gains):+.2f} points" in capsys.readouterr().out
    # One seed says nothing of others: the interval of two holds that of each seed's mean and is the wider.
    alone = dict(results, rows={key: row for key, row in results["rows"].items() if key != "w2a2 trained 1"})
    narrow = resq_table1.interval(alone, "w2a2")
    assert high - low > narrow[1] - narrow[0]
    resq_table1.draw([results], options.schemes)
    assert is_drawn(tmp_path / "resq_table1.png")


def test_dynamic(video, tmp_path, monkeypatch):
    for name in ("FIXED", "TOLERANCES"):
        monkeypatch.setattr(resq_dynamic, name, getattr(resq_dynamic, name)[:3])
    series = {bits: schemes[:3] for bits, schemes in resq_dynamic.SERIES.items()}
    monkeypatch.setattr(resq_dynamic, "SERIES", series)
    results = resq_dynamic.measure(video, "resq")
    costs = [results["rows"][scheme]["gbops_per_frame"] for scheme in series["w8a8->w8a8"]]
    assert costs == sorted(costs, reverse=True) and costs[0] > costs[-1]  # more tolerance, less work
    resq_dynamic.draw([json.loads((tmp_path / "resq_dynamic_resq.json").read_text())])
    assert is_drawn(tmp_path / "resq_dynamic.png")


@pytest.fixture
def short_runs(monkeypatch):
    """Figure 3 with runs of 5 frames."""
    monkeypatch.setattr(resq_figure3, "LENGTH", 5)
    monkeypatch.setattr(resq_figure3, "FAR", range(3, 5))
    schemes = tuple(f"{bits} T=5{how}" for bits in resq_figure3.BITS for how in ("", " recurrent"))
    monkeypatch.setattr(resq_figure3, "SCHEMES", schemes)


def test_figure3_of_labelled_video(video, short_runs, tmp_path):
    runs = [range(i, i + 5) for i in (0, 2, 4)]
    data = (video.network, video.source, runs, video.source)
    case = resq_figure3.Case("camvid", "resq", *data, "miou", "mIoU")
    results = resq_figure3.measure(case)
    pairwise, recurrent = resq_figure3.pair(results, "w8a8->w8a4", "tallies")
    assert pairwise.shape == recurrent.shape == (3, 5, 2, 11)
    # The keyframe is the same in both; residuals have other ranges, and from the second on another reference.
    assert (pairwise[:, 0] == recurrent[:, 0]).all() and (pairwise[:, 2:] != recurrent[:, 2:]).any()
    value, low, high = resq_figure3.gap(results, "w8a8->w8a4", resq_figure3.FAR)
    assert low <= value <= high
    resq_figure3.draw([results])
    assert is_drawn(tmp_path / "resq_figure3.png")


def test_figure3_of_jhmdb(short_runs, tmp_path, monkeypatch):
    """The command's own set-up, on a made-up JHMDB, with a stand-in for HRNet-W32."""
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    random = np.random.default_rng(0)
    for use, video in (("2", "a"), ("2", "b"), ("1", "c")):
        positions = np.tile(random.uniform(1, 48, (2, 15, 1)), (1, 1, 6))
        (tmp_path / f"joint_positions/wave/{video}").mkdir(parents=True)
        savemat(tmp_path / f"joint_positions/wave/{video}/joint_positions.mat", {"pos_img": positions})
        folder = tmp_path / f"Rename_Images/wave/{video}"
        folder.mkdir(parents=True)
        scene = random.integers(0, 200, (48, 48, 3))
        for frame in range(6):
            pixels = scene + random.integers(0, 40, scene.shape)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{frame + 1:05d}.png")
        (tmp_path / "splits").mkdir(exist_ok=True)
        with (tmp_path / "splits/wave_test_split1.txt").open("a") as file:
            file.write(f"{video}.avi {use}\n")

    class Heatmaps(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 15, 1)

        def forward(self, x):
            return {"heatmap": self.head(torch.relu(self.body(x)))}

    torch.manual_seed(0)
    seen = vq.Preprocessing(task="pose")
    network = vq.capture(Heatmaps(), torch.rand(1, 3, 48, 48), preprocessing=seen)
    monkeypatch.setattr(resq_figure3.vq, "load", lambda name, checkpoint: network)
    options = SimpleNamespace(jhmdb=tmp_path, pose_checkpoint=tmp_path / "weights", runs=None)
    case = resq_figure3.jhmdb(options, "default")
    assert case.runs == [range(5), range(6, 11)]
    results = resq_figure3.measure(case)
    first = results["rows"]["0"]["w8a8->w8a4 T=5"]
    assert len(first["pck"]) == 5 and all(0 <= value <= 1 for value in first["pck"])
    resq_figure3.draw([results])
    assert is_drawn(tmp_path / "resq_figure3.png")


@pytest.mark.parametrize("cost", [1.0, 2.0, 3.5, 10.0])
def test_random_choice_of_neighbours_has_the_cost_asked_for(cost):
    bops = np.array([10.0, 3.0, 1.0])
    shares = resq_videoiq.mixture(bops, cost)
    assert shares.sum() == pytest.approx(1) and (shares >= 0).all() and shares @ bops == pytest.approx(cost)
    assert shares[0] * shares[2] == 0  # only neighbours are mixed


def test_videoiq(video, tmp_path, monkeypatch, capsys):
    config = replace(MOBILENET_V2, stages=((1, 8, 1, 1), (6, 12, 1, 2)), stem=8, last=16)
    monkeypatch.setattr(policy_file, "MOBILENET_V2", config)
    choices = [video.calibrate(f"{bits} head=2 tail=2") for bits in ("w8a8", "w3a3", "w2a2")]
    stills = vq.data.open(f"camvid:{write_squares(tmp_path / 'stills', train=16)}#train")
    arguments = (video, choices, stills, tmp_path, 1)
    results = resq_videoiq.measure(*arguments, tradeoffs=(0.0, 0.3))
    assert list(results["rows"]) == [*results["choices"], "λ=0", "λ=0.3"]
    # A policy's score is that of its frames, as if the stream had been run.
    policy = resq_videoiq.trained(choices, stills, tmp_path, 0.3, 1, None)
    stream, score = policy.stream(), labelled.TallyScore(task_for(video.network), video.source.dataset)
    costs = []
    for frame in video.source:
        score.update(frame.pixels, stream.run(frame), frame.sample.target)
        costs.append(stream.bops)
    point = resq_videoiq.scored(results, "λ=0.3")
    assert point["miou"] == pytest.approx(score.result()["miou"])
    assert point["gbops"] == pytest.approx(np.mean(costs) / 1e9)
    # Half of the frames through one network, half through its neighbour: the interval holds the difference.
    results["rows"]["λ=0"]["chosen"] = [0, 1] * (FRAMES // 2) + [0]
    point = resq_videoiq.scored(results, "λ=0")
    assert point["against_random"][1] <= point["against_random"][0] <= point["against_random"][2]
    assert not point["constant"] and resq_videoiq.word(point) in ("confirmed", "reversed")
    resq_videoiq.draw(results)
    assert is_drawn(tmp_path / "resq_videoiq.png")
    assert "against random choice" in capsys.readouterr().out


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
