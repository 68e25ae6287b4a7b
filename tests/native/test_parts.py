"""Parts of native/ that need neither a network nor Python: each has a C++ test of its own (native/tests)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.variants import NATIVE

PARTS = {"test_delta_policy": ["core/delta_policy.cpp"], "test_threads": []}


@pytest.mark.parametrize("name", PARTS)
def test_part(name: str, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if not compiler:
        pytest.skip("needs g++")
    sources = [str(NATIVE / file) for file in [f"tests/{name}.cpp", *PARTS[name]]]
    program = tmp_path / name
    options = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
    built = subprocess.run([compiler, *options, *sources, "-o", program], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    result = subprocess.run([program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout
