"""`videoquant run` on the integer engine: its modes, what it prints, what it paints, what it refuses."""

import re

import av
import numpy as np
import pytest
import torch

import videoquant as vq
from videoquant.cli import engines
from videoquant.data.writer import VideoWriter


@pytest.fixture(scope="module")
def files(small, clip, tmp_path_factory):
    """The small network, quantized frame by frame, with residuals, and not at all."""
    folder, network = tmp_path_factory.mktemp("quantized"), vq.load(small)
    schemes = {"frame": "w8a8", "residual": "w8a8->w4a4 T=3", "float": "fp32"}
    for name, scheme in schemes.items():
        vq.save(vq.quantize(network, scheme, vq.frames(clip)), folder / f"{name}.vq")
    return {name: folder / f"{name}.vq" for name in schemes}


@pytest.fixture
def run(command, clip):
    def run(file, *options):
        return command("run", file, "--video", clip, "-o", "out.mp4", "--frames", 6, *options)

    return run


def pixels(path):
    with av.open(path) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]).astype(int)


ENGINES = [
    ("frame", [], "engine exact"),
    ("frame", ["--engine", "simulate"], "in simulation"),
    ("frame", ["--engine", "frame", "--threads", "1"], "engine frame"),
    ("frame", ["--engine", "bounded", "--refresh", "4", "--budget", "0.1"], "engine bounded"),
    ("residual", [], "engine frame"),
    ("float", [], "in simulation"),
]


@pytest.mark.parametrize(("file", "options", "how"), ENGINES)
def test_every_engine_runs(run, files, file, options, how):
    threads = torch.get_num_threads()
    code, out, err = run(files[file], *options)
    assert code == 0 and (err == "" or how == "engine bounded")
    assert re.search(rf"6 frames, .*, [\d.]+ frames per second (by )?{how}", out)
    assert ("of the work of full frames" in out) == ("engine" in how)
    assert torch.get_num_threads() == threads


def test_modes_frame_and_exact_draw_the_same(run, files):
    run(files["frame"], "--engine", "frame")
    frame = pixels("out.mp4")
    run(files["frame"], "--engine", "exact")
    assert np.array_equal(pixels("out.mp4"), frame)


def test_thresholds_may_come_from_another_clip(run, files, tmp_path):
    random = np.random.default_rng(0)
    with VideoWriter(tmp_path / "empty.mp4", 25) as writer:  # no disc is in it
        for _ in range(12):
            writer.write(random.integers(60, 120, (96, 128, 3)).astype(np.uint8))
    code, _, err = run(files["frame"], "--engine", "bounded", "--calibrate-on", "empty.mp4")
    assert code == 0 and "warning: mask IoU is the same on all frames" in err
    code, _, err = run(files["frame"], "--engine", "bounded", "--calibrate-on", "absent.mp4")
    assert code == 2 and "absent.mp4" in err


def test_paint_tints_where_the_engine_computed(run, files):
    run(files["frame"])
    plain = pixels("out.mp4")
    code, _, _ = run(files["frame"], "--paint")
    difference = np.abs(pixels("out.mp4") - plain).mean(axis=(1, 2, 3))
    assert code == 0 and difference[0] > 20  # the first frame is computed in full


class Sideways(torch.nn.Module):
    """Turns the picture between two layers, which the engine does not."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Conv2d(n, 1, 1) for n in (3, 1))

    def forward(self, x):
        return torch.sigmoid(self.second(self.first(x).permute(0, 1, 3, 2)))


class Wide(torch.nn.Module):
    """A layer whose sums could leave 32 bits, which lowering learns of the native engine."""

    def __init__(self):
        super().__init__()
        self.first, self.scores = torch.nn.Conv2d(3, 256, 1), torch.nn.Linear(256 * 14 * 14, 3)

    def forward(self, x):
        return self.scores(self.first(x).flatten(1))


REFUSED = {
    "sideways": (Sideways, 8, "segmentation", "node 'permute'"),
    "wide": (Wide, 14, "classification", "scores: its sums could leave 32 bits"),
}


@pytest.fixture(scope="module", params=REFUSED)
def refused(request, clip, tmp_path_factory):
    """A file of a network that the engine does not run, and what it says of it."""
    module, size, task, reason = REFUSED[request.param]
    preprocessing = vq.Preprocessing(task=task)
    network = vq.capture(
        module().eval(), torch.rand(1, 3, size, size), name=request.param, preprocessing=preprocessing
    )
    file = tmp_path_factory.mktemp("quantized") / f"{request.param}.vq"
    vq.save(vq.quantize(network, "w8a8", vq.frames(clip)), file)
    return file, f"{request.param}: .*{reason}"


def test_what_the_engine_cannot_run_is_simulated_unless_asked_for(run, refused):
    file, reason = refused
    code, out, err = run(file)
    assert code == 0 and "in simulation" in out
    assert re.search(f"simulated, since {reason}", err)
    code, out, err = run(file, "--engine", "exact")
    assert code == 2 and re.search(reason, err) and err.endswith("; --engine simulate runs it\n")
    code, out, err = run(file, "--paint")
    assert code == 2 and "--paint shows" in err


BAD = {
    "engine": (
        "frame",
        ["--engine", "fast"],
        "--engine fast: it must be simulate, frame, exact, bounded or regions",
    ),
    "exact": (
        "residual",
        ["--engine", "exact"],
        "runs in modes frame and regions only",
    ),
    "bounded": ("residual", ["--engine", "bounded"], "residual scheme"),
    "budget": ("frame", ["--budget", "0.1"], "--budget is for --engine bounded"),
    "calibrate": ("frame", ["--calibrate-on", "x.mp4", "--engine", "exact"], "--calibrate-on is for"),
    "refresh": ("frame", ["--refresh", "3", "--engine", "frame"], "--refresh is for --engine bounded"),
    "paint": ("frame", ["--paint", "--engine", "simulate"], "--paint shows where an engine computed"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_ends_in_one_line(run, files, tmp_path, case):
    file, options, message = BAD[case]
    code, out, err = run(files[file], *options)
    assert code == 2 and out == ""
    assert message in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_ctrl_c_while_thresholds_are_found_is_one_line(run, files, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "calibrate_thresholds", interrupted)
    code, out, err = run(files["frame"], "--engine", "bounded")
    assert code == 130 and out == "" and err == "videoquant: stopped\n"
