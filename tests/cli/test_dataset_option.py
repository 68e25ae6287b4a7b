"""--dataset: the commands on labelled data."""

import json

import pytest

import videoquant as vq


def test_the_real_data_set_opens(shared_data):
    clip = vq.data.open(f"camvid:{shared_data / 'camvid'}#val").clip()
    assert len(clip) == 101 and clip.index_at(100) == 100


def test_compare_scores_against_labels(shared_data, command, tmp_path):
    """MobileNetV2 on labelled photographs: both references, each under its own name."""
    network = shared_data / "models/mobilenet_v2_224.onnx"
    source = f"imagenet:{shared_data / 'imagenet-sample'}"
    code, out, err = command(
        "compare", network, "--dataset", source, "--schemes", "fp32; w8a8", "--frames", 12, "--json", "r.json"
    )
    assert code == 0, err
    assert out.count("(labels)") == 2
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["labelled_frames"] == data["frames"] == 12
    rows = {row["scheme"]: row for row in data["rows"]}
    assert rows["fp32"]["agreement"]["top1"] == 1.0
    assert 0.5 < rows["fp32"]["accuracy"]["top1_accuracy"] <= rows["fp32"]["accuracy"]["top5_accuracy"] <= 1
    assert len(rows["w8a8"]["per_frame"]) == 12 and "accuracy" in rows["w8a8"]["per_frame"][0]
    page = (tmp_path / "videoquant-report" / "report.html").read_text()
    assert "(labels)" in page and "not against ground truth" not in page


def test_a_task_without_labels_is_scored_against_fp32_alone(shared_data, small, command, tmp_path):
    source = f"camvid:{shared_data / 'camvid'}#val"
    code, out, err = command("compare", small, "--dataset", source, "--schemes", "w8a8->w4a4", "--frames", 6)
    assert code == 0 and "not scored against labels" in err and "(labels)" not in out


def test_stills_of_a_data_set_take_no_residuals(shared_data, small, command):
    source = f"imagenet:{shared_data / 'imagenet-sample'}"
    code, _, err = command("compare", small, "--dataset", source, "--schemes", "w8a8->w4a4")
    assert code == 2 and "stills have no frame before them" in err


@pytest.mark.parametrize("text", ["camvid:nowhere", "kamvid:.", "camvid:.#test"])
def test_a_data_set_that_is_none_is_one_line(text, small, command):
    code, _, err = command("compare", small, "--dataset", text)
    assert code == 2 and err.startswith("videoquant: error: ") and err.count("\n") == 1


def test_run_draws_over_a_data_set(small, camvid, command, tmp_path):
    source = f"camvid:{camvid}"
    assert command("quantize", small, "--scheme", "w8a8->w4a4 T=3", "--dataset", source, "-o", "s.vq")[0] == 0
    code, out, err = command("run", "s.vq", "--dataset", source, "-o", "o.mp4")
    assert code == 0, err
    assert "9 frames" in out and len(vq.frames(tmp_path / "o.mp4")) == 9
