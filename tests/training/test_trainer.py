"""The loop: it learns, and an interrupted training ends as an uninterrupted one, bit for bit."""

import os
import resource
import signal

import pytest
import torch
from safetensors import safe_open

import videoquant as vq
from tests.training.conftest import ALONE, short, slim
from videoquant.errors import DataError, NetworkError, OutputError
from videoquant.torch_file import write_tensors
from videoquant.training.objectives import objective_for
from videoquant.training.state import save_weights
from videoquant.training.trainer import STATE_FILE, Trainer, optimizer_for
from videoquant.training.validation import validator


def trainer(pictures, folder, resume=False, model=None, **settings):
    folder.mkdir(exist_ok=True)
    model = model or slim()
    return Trainer(model, objective_for(model, pictures, short(**settings)), folder, ALONE, resume)


def same(a, b):
    b = b.state_dict()
    return all(torch.equal(value, b[name]) for name, value in a.state_dict().items())


@pytest.fixture(scope="module", params=["adamw", "sgd"])
def whole(request, squares, tmp_path_factory):
    """A training that nothing interrupts, and its optimizer."""
    pictures = vq.data.open(f"camvid:{squares}#train")
    run = trainer(pictures, tmp_path_factory.mktemp("whole"), optimizer=request.param)
    assert run.run()
    return run, request.param


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_an_interrupted_training_resumes_to_the_same_result(pictures, tmp_path, whole, stop_after):
    whole, optimizer = whole
    first = trainer(pictures, tmp_path / "parts", optimizer=optimizer)

    def interrupt():
        if first.progress.step == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    assert not first.run(on_step=interrupt)
    assert first.progress.step == stop_after
    # Other weights to begin with: all that counts is in the file.
    second = trainer(pictures, tmp_path / "parts", resume=True, model=slim(seed=9), optimizer=optimizer)
    assert second.run()
    assert same(whole.average, second.average) and same(whole.model, second.model)
    assert whole.progress == second.progress


def test_threads_and_the_seed(pictures, tmp_path):
    """The same seed gives the same weights, another seed others."""
    runs = [trainer(pictures, tmp_path / f"{i}", epochs=1, seed=seed) for i, seed in enumerate((3, 3, 4))]
    assert all(run.run() for run in runs)
    assert same(runs[0].average, runs[1].average) and not same(runs[0].average, runs[2].average)


def test_it_learns(squares, pictures, tmp_path):
    """What is bright is told from what is dark after a few steps, by the score that `compare` gives."""
    model = slim()
    validate = validator(model, vq.data.open(f"camvid:{squares}"), (64, 96))
    before = validate(model.eval())["miou"]
    run = trainer(
        pictures, tmp_path / "t", model=model, epochs=30, learning_rate=0.02, ema=0.5, crop=(64, 96),
        scales=(1.0, 1.0),
    )  # fmt: skip
    assert run.run(validate, every=20)
    history = run.progress.history
    assert [row["epoch"] for row in history if "validation" in row] == [20, 30]
    assert history[-1]["loss"] < history[0]["loss"] / 2
    assert history[-1]["validation"]["miou"] > max(0.7, before)


def test_the_weights_come_back_through_create(pictures, tmp_path):
    run = trainer(pictures, tmp_path / "t", epochs=1)
    run.run()
    save_weights(tmp_path / "w.safetensors", run.average, {"data": "camvid"})
    with pytest.raises(NetworkError, match="does not fit"):
        vq.models.create("ddrnet23_slim", tmp_path / "w.safetensors")  # this one is narrower


def test_a_folder_with_a_training_is_not_overwritten(pictures, tmp_path):
    trainer(pictures, tmp_path / "t", epochs=1).run()
    before = (tmp_path / "t" / STATE_FILE).read_bytes()
    with pytest.raises(DataError, match="holds a training; go on with --resume"):
        trainer(pictures, tmp_path / "t", epochs=1)
    assert (tmp_path / "t" / STATE_FILE).read_bytes() == before


def test_another_recipe_does_not_go_on(pictures, tmp_path):
    trainer(pictures, tmp_path / "t", epochs=1).run()
    with pytest.raises(DataError, match="was begun with recipe seed 0, not 1; resume it with the same"):
        trainer(pictures, tmp_path / "t", resume=True, epochs=1, seed=1)


@pytest.mark.parametrize("damage", ["missing", "short", "other"])
def test_a_state_that_is_none_is_refused(pictures, tmp_path, damage):
    path = tmp_path / STATE_FILE
    if damage == "short":
        trainer(pictures, tmp_path, epochs=1).run()
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "other":
        save_weights(path, slim(), {})
    with pytest.raises(DataError, match=r"no such file|damaged or no training|no training of videoquant"):
        trainer(pictures, tmp_path, resume=True, epochs=1)


def test_a_training_that_diverges_says_so(pictures, tmp_path):
    with pytest.raises(DataError, match=r"the loss is .* in step .*lower --learning-rate"):
        trainer(pictures, tmp_path / "t", optimizer="sgd", learning_rate=1e30, warmup=0).run()


def test_vectors_do_not_decay():
    model = slim()
    decayed, plain = optimizer_for(model, short(weight_decay=0.5)).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.5, 0)
    assert all(p.dim() > 1 for p in decayed["params"]) and all(p.dim() == 1 for p in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(model.parameters()))


def test_bfloat16_trains_too(pictures, tmp_path):
    run = trainer(pictures, tmp_path / "t", epochs=1, precision="bf16")
    assert run.run()
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in run.average.parameters())


def test_a_full_disk_keeps_the_old_state_and_is_one_line(tmp_path):
    path = tmp_path / "training.safetensors"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"training\.safetensors: cannot be written: file too large$"):
            write_tensors(path, {"weight": torch.zeros(1000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("slot", ["step", "exp_avg_sq"])
def test_a_state_whose_optimizer_could_not_go_on_is_refused(pictures, tmp_path, slot):
    begun = trainer(pictures, tmp_path / "t", epochs=1, optimizer="adamw")
    assert begun.run()
    path = tmp_path / "t" / STATE_FILE
    with safe_open(path, "pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors[f"optimizer.0.{slot}"] = torch.full_like(tensors[f"optimizer.0.{slot}"], -1)
    write_tensors(path, tensors, header)
    with pytest.raises(DataError, match=rf"{slot} of parameter 0 is below 0"):
        trainer(pictures, tmp_path / "t", resume=True, epochs=1, optimizer="adamw")
