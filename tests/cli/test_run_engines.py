"""`videoquant run` on the integer engine: its modes, what it prints, what it paints, what it refuses."""

import re

import av
import numpy as np
import pytest
import torch

import videoquant as vq
from videoquant.cli import engines
from videoquant.engine import region_budget


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
    ("frame", ["--engine", "regions"], "engine regions"),
    ("residual", [], "engine frame"),
    ("float", [], "in simulation"),
]


@pytest.mark.parametrize(("file", "options", "how"), ENGINES)
def test_every_engine_runs(run, files, file, options, how):
    threads = torch.get_num_threads()
    code, out, err = run(files[file], *options)
    assert code == 0 and err == ""
    assert re.search(rf"6 frames, .*, [\d.]+ frames per second (by )?{how}", out)
    assert ("of the work of full frames" in out) == ("engine" in how)
    assert torch.get_num_threads() == threads


def test_modes_frame_and_exact_draw_the_same(run, files):
    run(files["frame"], "--engine", "frame")
    frame = pixels("out.mp4")
    run(files["frame"], "--engine", "exact")
    assert np.array_equal(pixels("out.mp4"), frame)


def test_a_budget_finds_a_rule_that_can_be_written_down(run, files, tmp_path):
    code, out, err = run(files["frame"], "--budget", "0.5")
    assert code == 0 and "by engine regions" in out
    found = re.fullmatch(
        r"(regions.*): a run of frames loses at most .* of mask IoU, .* after 4 runs.*\n", err
    )
    drawn = pixels("out.mp4")
    code, _, err = run(files["frame"], "--engine", found[1])
    assert (code, err) == (0, "") and np.array_equal(pixels("out.mp4"), drawn)
    code, _, err = run(files["frame"], "--budget", "0.5", "--calibrate-on", "absent.mp4")
    assert code == 2 and "absent.mp4" in err


def test_paint_tints_where_the_engine_computed(run, files):
    run(files["frame"])
    plain = pixels("out.mp4")
    code, out, _ = run(files["frame"], "--paint")
    difference = np.abs(pixels("out.mp4") - plain).mean(axis=(1, 2, 3))
    assert code == 0 and difference[0] > 20  # the first frame is computed in full
    assert out.strip().endswith("violet is what was computed anew")


class Halved(torch.nn.Module):
    """Numbers of half precision between two layers, which the engine does not compute."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Conv2d(n, 1, 1) for n in (3, 1))

    def forward(self, x):
        return torch.sigmoid(self.second(self.first(x).half().float()))


class Wide(torch.nn.Module):
    """A layer whose sums could leave 32 bits, which lowering learns of the native engine."""

    def __init__(self):
        super().__init__()
        self.first, self.scores = torch.nn.Conv2d(3, 256, 1), torch.nn.Linear(256 * 14 * 14, 3)

    def forward(self, x):
        return self.scores(self.first(x).flatten(1))


REFUSED = {
    "halved": (Halved, 8, "segmentation", "node 'to_copy'"),
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
        "--engine fast: it must be simulate, frame, exact or regions",
    ),
    "exact": (
        "residual",
        ["--engine", "exact"],
        "runs in modes frame and regions only",
    ),
    "budget": (
        "frame",
        ["--budget", "0.1", "--engine", "exact"],
        "--budget seeks a rule for --engine regions; it does not go with --engine exact",
    ),
    "budget and rule": (
        "frame",
        ["--budget", "0.1", "--engine", "regions floor=24"],
        "it does not go with --engine regions floor=24",
    ),
    "no budget": ("frame", ["--budget", "inf"], "the budget is inf; it must be 0 or more"),
    "calibrate": ("frame", ["--calibrate-on", "x.mp4", "--engine", "exact"], "it needs --budget"),
    "rule": ("frame", ["--engine", "regions flor=24"], "unknown word 'flor=24'; did you mean floor="),
    "no rule": ("frame", ["--engine", "regions dynamic"], "only regions and its rule may stand here"),
    "trigger": ("frame", ["--engine", "regions trigger=0"], "finite and above 0"),
    "rule of another": ("frame", ["--engine", "exact floor=24"], "--engine exact floor=24: it must be"),
    "paint": ("frame", ["--paint", "--engine", "simulate"], "--paint shows where an engine computed"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_ends_in_one_line(run, files, tmp_path, case):
    file, options, message = BAD[case]
    code, out, err = run(files[file], *options)
    assert code == 2 and out == ""
    assert message in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_a_budget_that_no_rule_keeps(run, files, tmp_path, monkeypatch):
    monkeypatch.setattr(region_budget, "LADDER", region_budget.LADDER[-1:])
    code, out, err = run(files["frame"], "--budget", "0")
    assert (code, out) == (2, "") and err.count("\n") == 1 and not (tmp_path / "out.mp4").exists()
    assert err.startswith(
        "videoquant: error: no rule of regions keeps a budget of 0: the most careful may lose"
    )


def test_ctrl_c_while_a_rule_is_found_is_one_line(run, files, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "fit_regions", interrupted)
    code, out, err = run(files["frame"], "--budget", "0.1")
    assert code == 130 and out == "" and err == "videoquant: stopped\n"
