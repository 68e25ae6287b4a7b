"""What a file may ask for, and the boundary that turns the unforeseen into one line."""

import pytest
import torch

from videoquant.errors import DataError, NetworkError, ran_out_of_memory, refused_as
from videoquant.limits import DEFAULT_GIB, GIB, check_size, size_limit


def test_the_limit_is_lifted_within_its_block_only() -> None:
    size = (DEFAULT_GIB + 1) * GIB
    with pytest.raises(NetworkError, match=r"w\.onnx asks for 5 GiB.*--size-limit"):
        check_size(size, "w.onnx", NetworkError)
    with size_limit(6):
        check_size(size, "w.onnx", NetworkError)
    with size_limit(float("inf")):
        check_size(1e30, "w.onnx", NetworkError)
    with pytest.raises(NetworkError):
        check_size(size, "w.onnx", NetworkError)


@pytest.mark.parametrize("raised", [KeyError("a"), ValueError("two\nlines"), RuntimeError(), MemoryError()])
def test_whatever_is_raised_becomes_one_line(raised: Exception) -> None:
    with (
        pytest.raises(NetworkError, match=r"^a\.vq: damaged \(.+\)$") as caught,
        refused_as(NetworkError, "a.vq: damaged"),
    ):
        raise raised
    assert "\n" not in str(caught.value)


def test_own_errors_and_interrupts_pass() -> None:
    with pytest.raises(DataError, match=r"^as it was$"), refused_as(NetworkError, "a.vq"):
        raise DataError("as it was")
    with pytest.raises(KeyboardInterrupt), refused_as(NetworkError, "a.vq"):
        raise KeyboardInterrupt


def test_memory_that_cannot_be_had_is_told_from_other_errors() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert ran_out_of_memory(caught.value) and ran_out_of_memory(MemoryError())
    assert not ran_out_of_memory(RuntimeError("shapes do not fit"))


def test_a_limit_is_a_number() -> None:
    with pytest.raises(ValueError, match="the size limit is nan GiB"), size_limit(float("nan")):
        pass
