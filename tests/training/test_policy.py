"""Policies on pictures of which some need more bits than others."""

import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import videoquant as vq
from tests.camvid import HEIGHT, WIDTH
from tests.networks import moving_frames, small_network
from videoquant.errors import CalibrationWarning, DataError, NetworkError, SchemeError
from videoquant.models.mobilenet_v2 import MOBILENET_V2
from videoquant.simulate.policy import PolicyNetwork
from videoquant.training import policy as room
from videoquant.training import policy_file
from videoquant.training.choices import check_choices, choice_bops, fingerprint
from videoquant.training.loss_table import loss_table
from videoquant.training.policy import PolicyObjective, policy_recipe, straight_through, train_policy
from videoquant.training.policy_file import load_policy

SCHEMES = tuple(f"{bits} head=2 tail=2" for bits in ("w8a8", "w4a4", "w2a2"))
SHORT = policy_recipe(epochs=3, batch=3, crop=(32, 32))


@pytest.fixture(autouse=True)
def small_policies(monkeypatch):
    """A MobileNetV2 of few layers, so that a training takes a second."""
    stages = ((1, 8, 1, 1), (6, 12, 1, 2), (6, 16, 2, 2))
    config = replace(MOBILENET_V2, stages=stages, stem=8, last=128)
    monkeypatch.setattr(policy_file, "MOBILENET_V2", config)


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 11, 1)
    )
    seen = vq.Preprocessing(task="segmentation")
    return vq.capture(module, torch.rand(1, 3, HEIGHT, WIDTH), preprocessing=seen, name="segmenter")


@pytest.fixture(scope="module")
def choices(segmenter):
    frames = [torch.rand(1, 3, HEIGHT, WIDTH) for _ in range(4)]
    return [vq.quantize(segmenter, scheme, frames) for scheme in SCHEMES]


def test_the_table_holds_the_losses_of_pictures_and_their_mirror_images(choices, pictures, tmp_path):
    table = loss_table(choices, pictures, tmp_path / "losses.safetensors")
    assert table.shape == (len(pictures), 2, 3) and torch.isfinite(table).all()
    sample = pictures[1]
    labels = torch.from_numpy(sample.target.labels.astype("int64"))[None]
    x = choices[1].network.prepare(sample.pixels)
    for mirrored in (0, 1):
        logits = choices[1].stream().run(x.flip(3) if mirrored else x)
        (logits,) = logits.values()
        logits = nn.functional.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear")
        expected = nn.functional.cross_entropy(
            logits, labels.flip(2) if mirrored else labels, ignore_index=sample.target.void
        )
        assert table[1, mirrored, 1] == pytest.approx(float(expected), rel=1e-5)


def test_the_table_goes_on_where_it_was(choices, pictures, tmp_path, monkeypatch):
    path, calls = tmp_path / "losses.safetensors", []
    whole = loss_table(choices, pictures, tmp_path / "other.safetensors")
    real = room.loss_table.__globals__["picture_losses"]

    def interrupted(streams, sample):
        calls.append(sample.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(streams, sample)

    monkeypatch.setattr("videoquant.training.loss_table.picture_losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loss_table(choices, pictures, path)
    assert torch.equal(loss_table(choices, pictures, path), whole)
    assert len(calls) == len(pictures) + 1  # one that was interrupted
    assert torch.equal(loss_table(choices, pictures, path), whole) and len(calls) == len(pictures) + 1
    with pytest.raises(DataError, match="other choices or data"):
        loss_table(choices[:2], pictures, path)
    path.write_bytes(b"no tensors")
    with pytest.raises(DataError, match="damaged"):
        loss_table(choices, pictures, path)


def test_a_loss_that_is_not_finite_names_picture_and_choice(choices, pictures, tmp_path):
    name, layer = next(iter(choices[0].weights.items()))
    nan = replace(layer.key, scale=torch.full_like(layer.key.scale, float("nan")))
    weights = {**choices[0].weights, name: replace(layer, key=nan)}
    broken = vq.QuantizedNetwork(choices[0].network, choices[0].scheme, weights, choices[0].grids)
    with pytest.raises(DataError, match=r"0016E5_07959, at w8a8 head=2 tail=2: segmenter: node .* NaN"):
        loss_table([broken, choices[1]], pictures, tmp_path / "losses.safetensors")


def picture(kind: str, number: int) -> np.ndarray:
    """A noisy picture of any brightness; a hard one has a black or white square somewhere."""
    random = np.random.default_rng(number)
    pixels = random.integers(0, 60, (HEIGHT, WIDTH, 3)) + random.integers(60, 160)
    if kind == "hard":
        top, left = random.integers(0, HEIGHT // 2), random.integers(0, WIDTH // 2)
        pixels[top : top + 32, left : left + 32] = random.integers(2) * 255
    return pixels.astype(np.uint8)


def test_it_learns_what_each_picture_needs(choices, pictures, tmp_path, monkeypatch):
    """An easy picture is right at any bits, a hard one only at the most."""
    rows = {"easy": [0.1, 0.1, 0.1], "hard": [0.1, 2.1, 2.1]}
    samples = [
        replace(
            pictures[0],
            name=f"{kind}{number}",
            clip=f"{kind}{number}",
            read_pixels=partial(picture, kind, number),
        )
        for number in range(8)
        for kind in rows
    ]
    data = replace(pictures, samples=samples)
    table = torch.tensor([[rows[s.name.rstrip("0123456789")]] * 2 for s in samples])
    monkeypatch.setattr(room, "loss_table", lambda *_: table)
    recipe = policy_recipe(epochs=60, batch=8, crop=(32, 32), learning_rate=1e-2, ema=0.9)
    policy = train_policy(choices, data, tmp_path, tradeoff=0.5, recipe=recipe)
    stream = policy.stream()
    chosen = []
    for sample in samples[:2]:
        stream(sample.pixels)
        chosen.append(stream.chosen)
        assert stream.bops == policy.bops[stream.chosen]
    assert chosen == [2, 0]


@pytest.mark.parametrize(("tradeoff", "expected"), [(0.0, 0), (100.0, 2)])
def test_the_tradeoff_decides(choices, pictures, tmp_path, monkeypatch, tradeoff, expected):
    table = torch.tensor([[[0.1, 0.5, 2.0]] * 2] * len(pictures))
    monkeypatch.setattr(room, "loss_table", lambda *_: table)
    recipe = policy_recipe(epochs=60, batch=6, crop=(32, 32), learning_rate=1e-2, ema=0.9)
    with pytest.warns(CalibrationWarning, match=f"{choices[expected].scheme} is the best choice for every"):
        policy = train_policy(choices, pictures, tmp_path, tradeoff=tradeoff, recipe=recipe)
    assert [policy.stream().choose(sample.pixels) for sample in pictures] == [expected] * len(pictures)


def test_the_same_seed_gives_the_same_policy_also_when_it_was_interrupted(choices, pictures, tmp_path):
    folders = [tmp_path / name for name in ("whole", "again", "resumed", "other")]
    for folder in folders:
        folder.mkdir()
    settings = {"tradeoff": 0.1, "losses": tmp_path / "losses.safetensors"}
    whole = train_policy(choices, pictures, folders[0], recipe=SHORT, **settings)
    again = train_policy(choices, pictures, folders[1], recipe=SHORT, **settings)
    other = train_policy(choices, pictures, folders[3], recipe=replace(SHORT, seed=1), **settings)
    steps = []

    def interrupt():
        steps.append(None)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_policy(choices, pictures, folders[2], recipe=SHORT, on_step=interrupt, **settings)
    with pytest.raises(DataError, match=r"tradeoff 0\.1, not 0\.2"):
        train_policy(choices, pictures, folders[2], recipe=SHORT, resume=True, **settings | {"tradeoff": 0.2})
    resumed = train_policy(choices, pictures, folders[2], recipe=SHORT, resume=True, **settings)
    assert len(steps) == 4
    for policy in (again, resumed):
        for name, tensor in whole.policy.tensors.items():
            assert torch.equal(policy.policy.tensors[name], tensor), name
    assert any(not torch.equal(other.policy.tensors[n], t) for n, t in whole.policy.tensors.items())
    loaded = load_policy(folders[0] / "policy.safetensors", choices)
    assert all(torch.equal(loaded.policy.tensors[n], t) for n, t in whole.policy.tensors.items())
    with pytest.raises(NetworkError, match=r"chooses among segmenter w8a8.*; given are segmenter w2a2"):
        load_policy(folders[0] / "policy.safetensors", choices[::-1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.floats(0.1, 5))
def test_a_straight_through_sample_is_one_hot_and_has_a_soft_gradient(seed, count, temperature):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, count, generator=generator, requires_grad=True)
    noise = torch.from_numpy(np.random.default_rng(seed).gumbel(size=(3, count))).float()
    chosen = straight_through(logits, noise, temperature)
    assert torch.allclose(chosen.detach().sort(1).values, torch.eye(count)[-1].expand(3, -1), atol=1e-5)
    assert torch.equal(chosen.argmax(1), (logits + noise).argmax(1))
    costs = torch.arange(count).float()
    (chosen * costs).sum().backward()
    soft = ((logits + noise) / temperature).softmax(1).detach()
    expected = soft * (costs - (soft * costs).sum(1, keepdim=True)) / temperature
    assert torch.allclose(logits.grad, expected, atol=1e-4)


def test_a_mirror_image_comes_with_its_own_losses(choices, pictures):
    losses = torch.tensor([[[0.1, 0.2, 0.3], [1.1, 1.2, 1.3]]] * len(pictures))
    objective = PolicyObjective(pictures, SHORT, choices, losses, 0.1, 1.0)
    pair, met = objective.pair(0), set()
    for seed in range(8):
        seen, target = objective.example(pair, np.random.default_rng(seed))
        mirrored = not np.array_equal(seen, pair[0])
        assert np.array_equal(target[0], pair[1][int(mirrored)])
        met.add(mirrored)
    assert met == {False, True}


def test_the_dearest_choice_costs_1(choices, pictures):
    objective = PolicyObjective(pictures, SHORT, choices, torch.zeros(len(pictures), 2, 3), 0.1, 1.0)
    bops = choice_bops(choices)
    logits, targets = torch.tensor([[9.0, 0, 0]]), torch.zeros(1, 2, 3)  # no noise: the first is chosen
    assert float(objective.loss(logits, targets)) == pytest.approx(0.1)
    assert float(objective.loss(logits.flip(1), targets)) == pytest.approx(0.1 * bops[2] / bops[0])


def test_samples_follow_the_softmax():
    logits = torch.tensor([[1.0, 0.0, -1.0]]).expand(20000, -1)
    noise = torch.from_numpy(np.random.default_rng(0).gumbel(size=(20000, 3))).float()
    shares = straight_through(logits, noise, 1.0).mean(0)
    assert torch.allclose(shares, logits[0].softmax(0), atol=0.015)


def test_choices_are_forms_of_one_network(choices):
    with pytest.raises(DataError, match="two quantized networks or more"):
        check_choices(choices[:1])
    with pytest.raises(DataError, match="w8a8 head=2 tail=2 is given twice"):
        check_choices([choices[0], choices[0]])
    network, frames = small_network(), moving_frames(4)
    other = vq.quantize(network, "w4a4", frames)
    with pytest.raises(DataError, match="small at w4a4 has another nodes than segmenter at w8a8"):
        check_choices([choices[0], other])
    residual = vq.quantize(network, "w8a8->w4a4 T=2", frames)
    with pytest.raises(SchemeError, match="quantized frame by frame"):
        check_choices([other, residual])
    assert sorted(choice_bops(choices), reverse=True) == choice_bops(choices)


def test_a_fingerprint_is_of_schemes_weights_and_ranges(choices):
    again = vq.QuantizedNetwork(choices[0].network, choices[0].scheme, choices[0].weights, choices[0].grids)
    assert fingerprint([choices[0]]) == fingerprint([again]) != fingerprint([choices[1]])
    name, layer = next(iter(choices[0].weights.items()))
    codes = layer.key.codes.clone()
    codes.view(-1)[0] = 1 - codes.view(-1)[0]
    changed = {**choices[0].weights, name: replace(layer, key=replace(layer.key, codes=codes))}
    again = vq.QuantizedNetwork(choices[0].network, choices[0].scheme, changed, choices[0].grids)
    assert fingerprint([choices[0]]) != fingerprint([again])


def test_what_cannot_be_trained_says_why(choices, pictures, tmp_path):
    unlabelled = replace(pictures, samples=[replace(pictures[0], read_target=None)])
    with pytest.raises(DataError, match="has no label to train on"):
        train_policy(choices, unlabelled, tmp_path, tradeoff=0.1)
    with pytest.raises(DataError, match="labelled for pose"):
        train_policy(choices, replace(pictures, task="pose"), tmp_path, tradeoff=0.1)
    with pytest.raises(DataError, match="has 11 classes, camvid has 1"):
        train_policy(choices, replace(pictures, labels=("all",)), tmp_path, tradeoff=0.1)
    with pytest.raises(DataError, match="tradeoff is -1"):
        train_policy(choices, pictures, tmp_path, tradeoff=-1)
    with pytest.raises(DataError, match="diverged"):
        settings = {"recipe": policy_recipe(epochs=3, batch=3, crop=(32, 32), learning_rate=1e30)}
        train_policy(choices, pictures, tmp_path, tradeoff=0.1, **settings)
    with pytest.raises(NetworkError, match="no policy, or damaged"):
        (tmp_path / "x.safetensors").write_bytes(b"x")
        load_policy(tmp_path / "x.safetensors", choices)
    with pytest.raises(NetworkError, match="chooses among 3 networks; 2 are given"):
        policy = train_policy(choices, pictures, _new(tmp_path), tradeoff=0.1, recipe=SHORT).policy
        PolicyNetwork(policy, choices[:2], [1.0, 1.0])


def _new(folder):
    (folder / "new").mkdir()
    return folder / "new"
