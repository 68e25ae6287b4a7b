"""Safetensors files: what opens, and what is refused in which words."""

import numpy as np
import pytest

from videoquant.errors import DataError, NetworkError
from videoquant.limits import size_limit
from videoquant.tensor_file import has_format, read_file, write_arrays

ARRAYS = {
    "codes": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "scale": np.array(0.5, np.float32),
    "none": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "f"
    write_arrays(path, ARRAYS, {"format": "ours", "more": "é"})
    return path


def read(path, format="ours", error=NetworkError):
    return read_file(path, format, error, "not ours, or damaged", "not ours")


def test_what_is_written_is_read(file):
    header, arrays = read(file)
    assert header == {"format": "ours", "more": "é"} and set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and np.array_equal(arrays[name], array)
        assert arrays[name].shape == array.shape


def test_other_formats(file):
    assert has_format(file, "ours") and not has_format(file, "theirs")
    assert set(read(file, None)[1]) == set(ARRAYS)
    with pytest.raises(DataError, match="a safetensors file, but not ours"):
        read(file, "theirs", DataError)


def test_damage_is_refused_in_one_line(file, tmp_path):
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(NetworkError, match="not ours, or damaged") as caught:
        read(file)
    assert "\n" not in str(caught.value)
    assert not has_format(file, "ours") and not has_format(tmp_path, "ours")
    with pytest.raises(NetworkError, match="none"):
        read(tmp_path / "none")


def test_a_file_larger_than_one_may_be(tmp_path):
    path = tmp_path / "large"
    write_arrays(path, {"x": np.zeros(2**20, np.uint8)}, {"format": "ours"})
    with size_limit(1 / 2048), pytest.raises(NetworkError, match="limit"):
        read(path)
