"""What a program has set in PyTorch changes no result, and is as it was afterwards."""

from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import videoquant as vq
from tests.networks import Small, moving_frames
from videoquant.engine import lower
from videoquant.network.onnx_writer import write_onnx
from videoquant.torch_settings import threads_of_pytorch
from videoquant.training.trainable import TrainableNetwork


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    yield
    torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    yield
    torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@contextmanager
def flushed_denormals():
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "device": lambda: default_device("meta"),
    "one thread": lambda: threads_of_pytorch(1),
    "three threads": lambda: threads_of_pytorch(3),
    "deterministic": deterministic,
    "flushed denormals": flushed_denormals,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
}


def settings():
    """All that must be as it was; the state of the random numbers too."""
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_rng_state().tolist(),
    )


@pytest.fixture(scope="module")
def given():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Small().eval()
    return module, moving_frames(9)


def results(module, frames, folder):
    """The outputs of everything that a program does with a network, by what it did."""
    found = {}

    def keep(name, outputs):
        found.update({f"{name}: {key}": value.detach().clone() for key, value in outputs.items()})

    network = vq.capture(module, frames[0], name="small")
    keep("captured", network(frames[1]))
    write_onnx(network, folder / "small.onnx")
    keep("loaded", vq.load(folder / "small.onnx")(frames[1]))
    for scheme in ("w8a8->w4a4 T=2", "w4a4 aciq", "w8a4 dynamic", "w8a4 qpp", "w8a8 ds=1%"):
        quantized = vq.quantize(network, scheme, frames)
        stream = quantized.stream()
        for frame in frames[:3]:
            keep(scheme, stream(frame))
        vq.save(quantized, folder / "small.vq")
        keep(f"{scheme}, saved", vq.load_quantized(folder / "small.vq")(frames[0]))
        keep(f"{scheme}, engine", lower(quantized).stream(threads=1)(frames[0]))
    pixels = [(frame[0] * 99).clamp(0, 255).byte().permute(1, 2, 0).numpy() for frame in frames]
    keep("pixels", vq.quantize(network, "w8a8", pixels)(pixels[1]))
    return found


@pytest.fixture(scope="module")
def expected(given, tmp_path_factory):
    return results(*given, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_change_nothing(given, expected, name, tmp_path):
    with SETTINGS[name]():
        before = settings()
        found = results(*given, tmp_path)
        assert settings() == before
    assert found.keys() == expected.keys()
    for what, value in found.items():
        assert value.dtype == torch.float32 and torch.equal(value, expected[what]), what


def test_threads_are_set_for_a_while_only():
    before = torch.get_num_threads()
    with pytest.raises(vq.DataError), threads_of_pytorch(before + 2):
        assert torch.get_num_threads() == before + 2
        raise vq.DataError("in between")
    assert torch.get_num_threads() == before
    package = Path(vq.__file__).parent
    setting = {
        str(p.relative_to(package)) for p in package.rglob("*.py") if "set_num_threads(" in p.read_text()
    }
    assert setting == {"torch_settings.py", "bench/memory.py"}  # which measures in a process of its own


def test_what_was_made_in_inference_mode_can_be_trained(given):
    module, frames = given
    with torch.inference_mode():
        quantized = vq.quantize(vq.capture(module, frames[0]), "w8a8->w4a4 T=2", frames)
        quantized(frames[0])
    trainable = TrainableNetwork(quantized)
    sum(output.sum() for output in trainable(torch.stack(frames[:2], 1)).values()).backward()
    assert all(p.grad is not None for p in trainable.parameters() if p.requires_grad)


def test_networks_by_name_draw_no_random_numbers_but_for_random_weights(tmp_path):
    torch.manual_seed(3)
    module = vq.models.create("espcn_x2")
    torch.save(module.state_dict(), tmp_path / "espcn.pth")
    before = torch.get_rng_state()
    network = vq.load("espcn_x2", checkpoint=tmp_path / "espcn.pth", size=(8, 8))
    assert torch.equal(torch.get_rng_state(), before)
    with default_dtype(torch.float64):
        torch.manual_seed(3)
        again = vq.models.create("espcn_x2")
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True))
    assert network.tensors["conv1.weight"].dtype == torch.float32
