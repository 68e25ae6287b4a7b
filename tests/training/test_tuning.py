"""Quantization-aware training end to end, on labelled stills and on clips without labels."""

import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import small_network
from videoquant.data.writer import VideoWriter
from videoquant.errors import DataError, SchemeError
from videoquant.network.preprocessing import Preprocessing
from videoquant.training import clips
from videoquant.training.clips import FilmedStills, VideoWindows
from videoquant.training.recipe import Recipe
from videoquant.training.trainer import STATE_FILE
from videoquant.training.tuning import clip_objective, scheme_trainer
from videoquant.training.validation import stream_validator

CROP = (32, 64)


def network():
    """Three convolutions that tell 11 classes apart at half the size, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 11, 1)
        )
        preprocessing = Preprocessing(mean=(0.4,), std=(0.25,), task="segmentation")
        return vq.capture(module, torch.rand(1, 3, *CROP), name="three", preprocessing=preprocessing)


def recipe(**settings):
    defaults = {"epochs": 2, "batch": 2, "crop": CROP, "scales": (0.7, 1.4), "jitter": 0.3, "hard": 0.9}
    return Recipe(**defaults | settings)


def trainer(data, folder, scheme="w8a8->w4a4 T=3", net=None, distill=False, resume=False, **settings):
    folder.mkdir(exist_ok=True)
    net = net or network()
    settings["crop"] = net.size
    return scheme_trainer(
        net, vq.Scheme.parse(scheme), data, recipe(**settings), folder, distill=distill, resume=resume
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """24 frames of 32×48 in which a bright bar moves."""
    path = tmp_path_factory.mktemp("videos") / "bar.mp4"
    with VideoWriter(path, 25) as writer:
        for t in range(24):
            frame = np.full((32, 48, 3), 60, np.uint8)
            frame[:, t : t + 10] = 220
            writer.write(frame)
    return vq.frames(path)


@pytest.mark.parametrize(
    "scheme", ["w4a4", "w8a8->w3a3 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8->w4a8 T=2 adaptive tau=1"]
)
def test_it_learns(pictures, tmp_path, scheme):
    run = trainer(pictures, tmp_path / "t", scheme, epochs=8, learning_rate=1e-2, ema=0.5)
    assert run.run()
    losses = [row["loss"] for row in run.progress.history]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_a_teacher_is_approached_without_labels(video, tmp_path):
    net = small_network(32)
    run = trainer(
        video,
        tmp_path / "t",
        "w3a3 head=2 tail=2 no-bias-correction",
        net,
        distill=True,
        epochs=12,
        learning_rate=2e-3,
        ema=0.5,
    )
    validate = stream_validator_of_outputs(net, video)
    before = validate(run.model)
    assert run.run()
    assert validate(run.average) < 0.7 * before


def stream_validator_of_outputs(net, video):
    def error(model):
        stream, total = model.quantized(net).stream(), 0.0
        with torch.no_grad():
            for frame in video:
                wanted, got = net.run(net.prepare(frame)), stream.run(frame)
                total += sum(float((wanted[n] - got[n]).square().mean() / wanted[n].var()) for n in wanted)
        return total

    return error


@pytest.mark.parametrize("scheme", ["w4a4", "w8a8->w4a4 T=3"])
def test_an_interrupted_training_resumes_to_the_same_result(pictures, tmp_path, scheme):
    whole = trainer(pictures, tmp_path / "whole", scheme)
    assert whole.run()
    first = trainer(pictures, tmp_path / "parts", scheme)

    def interrupt():
        if first.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert not first.run(on_step=interrupt)
    second = trainer(pictures, tmp_path / "parts", scheme, resume=True)
    assert second.run()
    theirs = second.average.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in whole.average.state_dict().items())


def test_a_training_at_another_scheme_is_not_gone_on_with(pictures, tmp_path):
    trainer(pictures, tmp_path / "t", "w4a4", epochs=1).run()
    with pytest.raises(DataError, match="was begun with scheme w4a4, not w3a3; resume it with the same"):
        trainer(pictures, tmp_path / "t", "w3a3", epochs=1, resume=True)


def test_a_divergence_names_the_step_and_a_scale_and_keeps_the_state(pictures, tmp_path):
    run = trainer(pictures, tmp_path / "t", "w4a4", epochs=1)
    run.run()
    before = (tmp_path / "t" / STATE_FILE).read_bytes()
    again = trainer(pictures, tmp_path / "u", "w4a4", epochs=1)
    with torch.no_grad():
        next(iter(again.model.changes.values())).fill_(float("nan"))
    with pytest.raises(
        DataError, match=r"the loss is nan in step 1.* the scale of .* weights; .*--learning-rate"
    ):
        again.run()
    assert (tmp_path / "t" / STATE_FILE).read_bytes() == before


def test_stills_are_filmed_in_cycles(pictures):
    objective = clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=4"), pictures, recipe())
    assert isinstance(objective, FilmedStills) and len(objective) == len(pictures)
    random = np.random.default_rng(0)
    examples = [objective.example(objective.pair(i), random) for i in range(2)]
    inputs, targets = objective.collate(examples)
    assert inputs.shape == (2, 4, 3, *CROP) and targets.shape == (8, *CROP)
    assert not torch.equal(inputs[0, 0], inputs[0, 1])


def test_beyond_a_stills_border_there_are_no_labels(pictures):
    larger = recipe(crop=(2 * CROP[0], 4 * CROP[1]), scales=(1.0, 1.0))
    objective = clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=3"), pictures, larger)
    film, labels = objective.labelled.film(objective.pair(0), 3, np.random.default_rng(0))
    assert film.shape[1:3] == labels.shape[1:] == larger.crop
    void = pictures[0].target.void
    assert (labels[:, [0, 0, -1, -1], [0, -1, 0, -1]] == void).all() and (labels != void).any()


def test_a_distilled_frame_is_held_against_that_frame_alone(video, monkeypatch):
    """Some networks mix the pictures of a batch, or take one alone."""
    net, batches = network(), []

    def run(x):
        batches.append(len(x))
        return net.run(x)

    monkeypatch.setattr(clips, "on_device", lambda network, device: SimpleNamespace(run=run))
    objective = clip_objective(net, vq.Scheme.parse("w8a8->w4a4 T=3"), video, recipe(), distill=True)
    inputs, targets = objective.collate([objective.pair(0), objective.pair(1)])
    loss = objective.loss(net.run(inputs.flatten(0, 1)), targets)
    assert batches == [1] * 6 and float(loss) == pytest.approx(0, abs=1e-9)


def test_a_video_is_used_as_it_is(video):
    net = small_network(32)
    objective = clip_objective(net, vq.Scheme.parse("w8a8->w4a4 T=3"), video, recipe(), distill=True)
    assert isinstance(objective, VideoWindows) and len(objective) == 8
    inputs, _ = objective.collate([objective.example(objective.pair(1), np.random.default_rng(0))])
    frames = list(video)[3:6]
    assert torch.equal(inputs[0], torch.cat([net.prepare(frame) for frame in frames]))


def test_a_labelled_video_is_used_as_it_is(squares):
    frames = vq.data.open(f"camvid:{squares}#val")
    assert frames.is_video
    objective = clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=3"), frames, recipe())
    assert isinstance(objective, VideoWindows) and len(objective) == 1
    inputs, targets = objective.collate([objective.pair(0)])
    assert inputs.shape == (1, 3, 3, *CROP) and np.array_equal(targets[2], frames[2].target.labels)


def test_a_labelled_video_with_gaps(squares):
    video = vq.data.open(f"camvid:{squares}#val")
    gaps = replace(video, samples=[replace(s, read_target=None) if s.index % 4 else s for s in video])
    objective = clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=3"), gaps, recipe())
    assert len(objective) == sum(s.is_labelled for s in gaps) > 0
    void = video[0].target.void
    _, targets = objective.collate([objective.pair(0)])
    seen = [not bool((target == void).all()) for target in targets]
    assert sum(seen) == 1
    outputs = {objective._output: torch.zeros(3, 11, *CROP, requires_grad=True)}
    objective.loss(outputs, targets).backward()
    moved = outputs[objective._output].grad.flatten(1).abs().sum(1) > 0
    assert moved.tolist() == seen
    with pytest.raises(DataError, match="no sample has a label"):
        none = replace(video, samples=[replace(s, read_target=None) for s in video])
        clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=3"), none, recipe())


@pytest.mark.parametrize("every", [2, 3])
def test_labels_closer_than_a_cycle(squares, every):
    video = vq.data.open(f"camvid:{squares}#val")
    samples = [replace(s, index=i) for i, s in enumerate(list(video) * 4)]  # one sequence of 12 frames
    gaps = replace(video, samples=[replace(s, read_target=None) if s.index % every else s for s in samples])
    objective = clip_objective(network(), vq.Scheme.parse("w8a8->w4a4 T=4"), gaps, recipe())
    assert len(objective) >= 2
    void = video[0].target.void
    for i in range(len(objective)):
        _, targets = objective.collate([objective.pair(i)])
        assert len(targets) == 4 and not bool((targets == void).all())


def test_the_score_is_that_of_compare(squares, tmp_path):
    data, net = vq.data.open(f"camvid:{squares}#val"), network()
    run = trainer(vq.data.open(f"camvid:{squares}#train"), tmp_path / "t", "w4a4", epochs=1)
    assert run.run(stream_validator(net, data))
    learned = run.average.quantized(net)
    score = vq.compare(net, [learned], data.clip(), score=lambda: score_of(net, data)).rows[0].accuracy
    assert run.progress.history[-1]["validation"] == score


def score_of(net, data):
    from videoquant.tasks import task_for
    from videoquant.tasks.scoring import score_for

    return score_for(task_for(net), data)


@pytest.mark.parametrize(
    ("scheme", "data", "distill", "error", "message"),
    [
        ("fp32", "stills", False, SchemeError, "nothing in it is quantized"),
        ("w4a4", "clip", False, DataError, "has no labels; give a data set"),
        ("w8a8->w4a4 T=30", "clip", True, DataError, "has 24 frames; a clip to train on needs 30"),
    ],
)
def test_what_cannot_be_trained_on_says_why(pictures, video, scheme, data, distill, error, message):
    with pytest.raises(error, match=message):
        clip_objective(
            network(), vq.Scheme.parse(scheme), pictures if data == "stills" else video, recipe(), distill
        )
