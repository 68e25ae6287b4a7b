"""Builds the C++ kernel tests (native/tests) with sanitizers, and for Arm under emulation, and runs them."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
COMMON = ["core/dispatch.cpp", "core/pack.cpp", "variants/reference.cpp", "variants/portable.cpp"]
# What each instruction set is compiled with, as in CMakeLists.txt.
X86 = {
    "variants/avx512.cpp": "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mpopcnt -mbmi",
    "variants/avx2.cpp": "-mavx2",
}
ARM = {"variants/neon.cpp": "-march=armv8.2-a+dotprod"}
EXACT = ["-std=c++17", "-ffp-contract=off", "-w"]


def build(compiler: str, flags: Sequence[str], variants: dict[str, str], folder: Path) -> Path:
    """Compiles and links test_kernels, two files at a time; fails with the compiler's own words."""
    sources = {"tests/test_kernels.cpp": "", **variants, **dict.fromkeys(COMMON, "")}
    objects = [folder / (source.replace("/", "_") + ".o") for source in sources]
    waiting = [
        [compiler, *EXACT, *flags, *own.split(), "-c", str(NATIVE / source), "-o", str(target)]
        for (source, own), target in zip(sources.items(), objects, strict=True)
    ]
    while waiting:
        pair, waiting = waiting[:2], waiting[2:]
        for process in [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in pair]:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
    program = folder / "test_kernels"
    subprocess.run([compiler, *flags, *map(str, objects), "-o", str(program)], check=True)
    return program


def run(command: Sequence[str | Path]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    assert result.returncode == 0, (result.stdout + result.stderr)[-5000:]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    return path


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="builds the x86 kernels")
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    # Without optimisation and with the checks as calls: a build of seconds instead of minutes.
    flags = ["-O0", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    calls = ["--param", "asan-instrumentation-with-call-threshold=0"]
    run([build(tool("g++"), flags + calls, X86, tmp_path), "150"])


def test_arm_equals_the_reference_under_emulation(tmp_path: Path) -> None:
    emulator, compiler = tool("qemu-aarch64"), tool("aarch64-linux-gnu-g++")
    run([emulator, build(compiler, ["-O1", "-static"], ARM, tmp_path), "150"])
