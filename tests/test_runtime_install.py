"""The install without PyTorch runs the plans that the full one made, to the same bits.

`make test` makes that environment, .venv-runtime; without it these tests are skipped.
VIDEOQUANT_CAMERA names the Python of another one.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.cli.conftest import three_layers
from videoquant.data.writer import VideoWriter
from videoquant.engine import lower

ROOT = Path(__file__).parents[1]
CAMERA = Path(os.environ.get("VIDEOQUANT_CAMERA", ROOT / ".venv-runtime" / "bin" / "python"))
SCHEMES = {
    "w8a8": "exact",
    "w8a8 dynamic minmax": "frame",
    "w4a8 qpp": "frame",
    "w8a4 ds=1%": "frame",
    "w8a8->w4a4 T=3": "frame",
}

pytestmark = pytest.mark.skipif(not CAMERA.exists(), reason="make test makes .venv-runtime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Plans of a small network under several schemes, a clip, and what the full install gives for it."""
    folder = tmp_path_factory.mktemp("camera")
    network = three_layers(folder / "bright.onnx", 1)
    random = np.random.default_rng(0)
    with VideoWriter(folder / "clip.mp4", 25) as writer:
        background = random.integers(40, 160, (48, 64, 3))
        for t in range(9):
            frame = background.copy()
            frame[10:30, 4 * t : 4 * t + 20] = 220
            writer.write(frame.astype(np.uint8))
    clip = vq.frames(folder / "clip.mp4")
    for scheme, mode in SCHEMES.items():
        name = scheme.replace("->", "-").replace(" ", "_").replace("%", "")
        quantized = vq.quantize(vq.load(network), scheme, calibration=clip)
        plan = lower(quantized)
        plan.save(folder / f"{name}.plan")
        stream, found = vq.open_stream(plan, mode, threads=1), {"mode": mode}
        for frame in clip:
            outputs = stream.run(frame)
            found |= {f"{frame.index} {output}": value.numpy() for output, value in outputs.items()}
            found[f"{frame.index} drawn"] = plan.task.draw(frame.pixels, outputs)
        np.savez(folder / f"{name}.npz", **found)
    vq.save(quantized, folder / "bright.vq")
    return folder


def camera(*words):
    return subprocess.run([CAMERA, *map(str, words)], capture_output=True, text=True, cwd=CAMERA.parent)


def test_plans_run_to_the_same_bits(folder):
    done = camera(ROOT / "tests" / "camera.py", folder)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(SCHEMES)


def test_the_command_runs_a_plan(folder):
    plan = folder / "w8a8.plan"
    done = camera("-m", "videoquant", "run", plan, "--video", folder / "clip.mp4", "-o", folder / "out.mp4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{folder / 'out.mp4'}: 9 frames, w8a8, ")
    assert len(vq.frames(folder / "out.mp4")) == 9


@pytest.mark.parametrize("file", ["bright.vq", "bright.onnx"])
def test_what_is_no_plan_needs_the_extra(folder, file):
    done = camera("-m", "videoquant", "run", folder / file, "--video", folder / "clip.mp4", "-o", "out.mp4")
    assert done.returncode == 2
    assert done.stderr == (
        f"videoquant: error: {folder / file}: running what is no plan needs torch, which is not installed: "
        'pip install "videoquant[quantize]"\n'
    )


def test_other_commands_need_the_extra(folder):
    done = camera("-m", "videoquant", "compare", folder / "bright.onnx", "--video", folder / "clip.mp4")
    assert done.returncode == 2
    assert done.stderr.startswith("videoquant: error: videoquant compare needs ")
    assert done.stderr.endswith(', which is not installed: pip install "videoquant[quantize]"\n')
    assert camera("-m", "videoquant", "--help").returncode == 0
    assert camera("-m", "videoquant", "run", "--help").returncode == 0
