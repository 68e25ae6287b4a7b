"""`videoquant compare` on several clips, side by side, and as JSON for other programs."""

import json

import numpy as np
import pytest

from videoquant.data.writer import VideoWriter


@pytest.fixture(scope="session")
def dark(tmp_path_factory):
    """24 frames of a dim disc that wanders through the dark."""
    path = tmp_path_factory.mktemp("clips") / "dark.mp4"
    rows, columns = np.mgrid[:96, :128]
    with VideoWriter(path, 25) as writer:
        for t in range(24):
            frame = np.random.default_rng(t).integers(0, 50, (96, 128, 3))
            frame[(rows - 40) ** 2 + (columns - 30 - 2 * t) ** 2 < 500] += 110
            writer.write(frame.astype(np.uint8))
    return path


def compared(command, *arguments):
    code, _, err = command(
        "compare", *arguments, "--schemes", "fp32; w8a8; w8a8->w4a4 T=3", "--json", "r.json"
    )
    assert code == 0, err
    with open("r.json") as file:
        found = json.load(file)
    found.pop("made")
    return found


def test_two_clips_are_a_mean_and_each_of_them(command, small, clip, dark):
    both = compared(command, small, "--video", clip, "--video", dark, "--frames", 12)
    assert both["source"] == "disc.mp4, dark.mp4" and both["frames"] == 24
    assert both["calibration"].endswith("frames of the same clips, none of them scored")
    for row in both["rows"]:
        of_clips = row["clips"]
        assert list(of_clips) == ["disc.mp4", "dark.mp4"]
        mean = sum(one["agreement"]["mask_iou"] for one in of_clips.values()) / 2
        assert row["agreement"]["mask_iou"] == pytest.approx(mean, rel=1e-12)
        assert {frame["clip"] for frame in row["per_frame"]} == set(of_clips)
    with open("videoquant-report/report.html") as file:
        page = file.read()
    _, _, section = page.partition("mask IoU on each clip")
    marked = [row.count("<strong>") for row in section.partition("</table>")[0].split("<tr>")[2:]]
    assert marked == [0, 1, 1]  # fp32 is nowhere worse than elsewhere


def test_workers_and_what_is_kept_change_nothing(command, small, clip, dark):
    given = (small, "--video", clip, "--video", dark, "--frames", 12)
    first = compared(command, *given, "--no-cache")
    assert compared(command, *given, "--workers", 2, "--cache", "kept") == first
    assert compared(command, *given, "--cache", "kept") == first


def test_json_on_stdout_is_alone_there(command, small, clip):
    code, out, err = command("compare", small, "--video", clip, "--schemes", "fp32; w8a8", "--json", "-")
    assert code == 0 and json.loads(out)["rows"][1]["scheme"] == "w8a8"
    assert "GBOPs" in err and "report: " in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--workers", 2, "--engine", "frame"), "--workers: schemes that are timed take turns"),
        (("--ray", "local", "--engine", "exact"), "--ray: schemes that are timed take turns"),
        (("--video", "CLIP"), "two clips are named disc.mp4"),
        (("--dataset", "camvid:nowhere"), "give one of --video CLIP, --images DIR and --dataset"),
        (("--workers", 0), "--workers"),
    ],
)
def test_what_does_not_go_together(command, small, clip, options, message):
    given = [str(clip) if option == "CLIP" else option for option in options]
    code, out, err = command("compare", small, "--video", clip, *given)
    assert code == 2 and out == "" and message in err
