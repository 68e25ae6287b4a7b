"""A clip, a small network, and the command run in-process."""

import signal
import sys
from contextlib import contextmanager

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.camvid import write_camvid
from videoquant.cli import main
from videoquant.cli.console import console
from videoquant.data.writer import VideoWriter
from videoquant.training.trainer import Trainer


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """36 frames of a bright disc that wanders over a noisy background."""
    path = tmp_path_factory.mktemp("clips") / "disc.mp4"
    random = np.random.default_rng(0)
    background = random.integers(60, 120, (96, 128, 3))
    rows, columns = np.mgrid[:96, :128]
    with VideoWriter(path, 25) as writer:
        for t in range(36):
            frame = background + random.integers(-3, 4, background.shape)
            frame[(rows - 48) ** 2 + (columns - 40 - t) ** 2 < 900] = (230, 180, 150)
            writer.write(frame.clip(0, 255).astype(np.uint8))
    return path


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Runs `videoquant …` in an empty folder; gives the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "width", 240)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["videoquant", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def interrupted_after(monkeypatch):
    """A context in which a training gets Ctrl-C after so many steps."""

    @contextmanager
    def interrupted(count):
        step = Trainer._step

        def interrupted_step(self, *batch):
            step(self, *batch)
            if self.progress.step == count:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_step", interrupted_step)
            yield

    return interrupted


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """An ONNX file of three layers that finds what is bright: 1×3×32×32 to a mask of 32×32."""
    return three_layers(tmp_path_factory.mktemp("networks") / "bright.onnx", 1)


@pytest.fixture(scope="session")
def eleven(tmp_path_factory):
    """The same with the 11 classes of CamVid."""
    return three_layers(tmp_path_factory.mktemp("networks") / "eleven.onnx", 11)


def three_layers(path, classes):
    random = np.random.default_rng(1)
    weights = {
        "stem.weight": random.uniform(0, 0.2, (8, 3, 3, 3)),
        "body.weight": random.uniform(-0.1, 0.3, (8, 8, 1, 1)),
        "head.weight": random.uniform(0, 1, (classes, 8, 1, 1)),
        "head.bias": np.full(classes, -3.4),
    }
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "body.weight"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "head.weight", "head.bias"], ["e"]),
        helper.make_node("Sigmoid", ["e"], ["mask"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, classes, 32, 32])
    tensors = [onnx.numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "bright", [image], [mask], tensors),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, {"task": "segmentation", "scale": "1/255"})
    onnx.save(model, path)
    return str(path)


@pytest.fixture
def camvid(tmp_path_factory):
    """A folder in CamVid's layout, its val a labelled video of 9 frames of 64×96: a road that grows."""
    root = tmp_path_factory.mktemp("data")
    write_camvid(root)
    return root
