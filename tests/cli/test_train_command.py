"""`videoquant train` as a user calls it, alone and in two processes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import videoquant as vq

SHORT = ("--epochs", 2, "--batch", 2, "--crop", "32x64", "--precision", "fp32")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Two pictures for super-resolution."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for name, size in (("a", (96, 90)), ("b", (120, 93))):
        small = Image.fromarray(random.integers(0, 256, (9, 8, 3), np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


def test_segmentation_from_nothing_to_weights(squares, command, tmp_path):
    code, out, err = command("train", "ddrnet23_slim", "--dataset", f"camvid:{squares}", *SHORT, "-o", "t")
    assert code == 0, err
    assert "6 pictures, 2 epochs of 3 steps" in out and "scored on camvid#val, 3 pictures" in out
    history = json.loads((tmp_path / "t/history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2]
    assert 0 <= history[-1]["validation"]["miou"] <= 1
    assert Image.open(tmp_path / "t/curves.png").width > 800
    model = vq.models.create("ddrnet23_slim", tmp_path / "t/weights.safetensors")
    assert model.config.num_classes == 11
    with safe_open(tmp_path / "t/weights.safetensors", "pt") as file:
        assert file.metadata()["command"].startswith("videoquant train ddrnet23_slim --dataset camvid:")


def test_super_resolution_scores_on_pictures_of_two_sizes(photographs, command, tmp_path):
    code, out, err = command(
        "train", "espcn_x3", "--dataset", f"set5:{photographs}#x3", "--validation", f"set14:{photographs}#x3",
        "--epochs", 1, "--repeats", 16, "--crop", "16x16", "-o", "t",
    )  # fmt: skip
    assert code == 0, err
    assert "psnr_y" in out and (tmp_path / "t/weights.safetensors").is_file()


def test_ctrl_c_and_resume_give_what_one_run_gives(squares, command, tmp_path, interrupted_after):
    arguments = ("train", "ddrnet23_slim", "--dataset", f"camvid:{squares}#train", *SHORT)
    assert command(*arguments, "-o", "whole")[0] == 0
    with interrupted_after(2):
        code, _, err = command(*arguments, "-o", "parts")
    assert code == 130 and "stopped in step 2 of 6; --resume goes on" in err
    assert not (tmp_path / "parts/weights.safetensors").exists()
    assert command(*arguments, "-o", "parts", "--resume")[0] == 0
    whole, parts = (load_file(tmp_path / folder / "weights.safetensors") for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all((whole[key] == parts[key]).all() for key in whole)


def test_two_processes_train_one_network(squares, tmp_path):
    """As `torchrun` starts them: they share each batch, and the first writes what both have learnt."""
    launched = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "videoquant", "train", "ddrnet23_slim", "--dataset", f"camvid:{squares}",
            *map(str, SHORT), "--batch", "4", "-o", str(tmp_path / "t"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr
    assert "cpu × 2" in launched.stdout and launched.stdout.count("6 pictures") == 1
    history = json.loads((tmp_path / "t/history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2]
    vq.models.create("ddrnet23_slim", tmp_path / "t/weights.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("ddrnet23_slin", "camvid"), "no such network; did you mean ddrnet23_slim"),
        (("hrnet_w32_pose", "camvid"), "no training for pose; there is for segmentation, super-resolution"),
        (("espcn_x3", "camvid"), "the network is for super-resolution; camvid is labelled for segmentation"),
        (("ddrnet23_slim", "camvid", "--crop", "32"), "--crop 32: give height and width in pixels"),
        (("ddrnet23_slim", "camvid", "--scales", "2"), "--scales 2: give two numbers"),
        (("ddrnet23_slim", "camvid", "--optimizer", "lion"), "optimizer is 'lion'"),
        (("ddrnet23_slim", "camvid", "--batch", "1", "--crop", "32x32"), "give a larger --batch or --crop"),
        (("ddrnet23_slim", "camvid", "--batch", "7"), "less than a batch of 7"),
        (("ddrnet23_slim", "camvid", "--checkpoint", "nowhere.pth"), "nowhere.pth: no such file"),
        (("ddrnet23_slim", "camvid", "--batch", "2", "--resume"), "training.safetensors: no such file"),
        (("espcn_x2", "set5#x3", "--crop", "16x16"), "enlarges by 2, set5#x3 by 3; open its split x2"),
    ],
)
def test_a_mistake_is_one_line(changes, message, squares, photographs, command, tmp_path):
    network, source, *rest = changes
    name, _, split = source.partition("#")
    folder = f"{photographs}#{split}" if split else squares
    code, _, err = command("train", network, "--dataset", f"{name}:{folder}", *rest, "-o", "t")
    assert code == 2 and err.count("\n") == 1 and message in err
    assert not list(tmp_path.glob("t/*"))


def test_a_clip_has_no_labels(clip, command):
    code, _, err = command("train", "ddrnet23_slim", "--dataset", clip)
    assert code == 2 and "has no labels; training needs a data set" in err
