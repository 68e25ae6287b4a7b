"""The ceiling is a number; how large it is depends on the machine and on what else it does."""

import pytest

import videoquant as vq
from videoquant import _native
from videoquant.engine import vnni_ceiling


def test_a_ceiling_is_measured():
    assert vnni_ceiling(1) > 1e8 and vnni_ceiling(2) > 1e8


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_a_number_of_threads_is_checked(threads):
    with pytest.raises(vq.DataError, match=f"threads={threads}"):
        vnni_ceiling(threads)


@pytest.mark.parametrize("seconds", [0, float("nan"), 1e9])
def test_so_is_the_time(seconds):
    with pytest.raises(ValueError, match="seconds"):
        _native.ceiling(1, seconds)
