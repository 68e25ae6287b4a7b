"""Builds the native engine with sanitizers, and its kernel tests for Arm under emulation, and runs them."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.native.variants import NATIVE, variants
from videoquant import _native

ROOT = NATIVE.parent
EXACT = ["-std=c++17", "-ffp-contract=off", "-w"]
# Without optimisation and with the checks as calls: a build of seconds instead of minutes.
SANITIZE = ["-O0", "-g1", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SANITIZE += ["--param", "asan-instrumentation-with-call-threshold=0"]
# What the kernels' tests link: all but what reads plans, which needs Python and is called by none of them.
SHARED = {
    f"{folder}/{file.name}": "" for folder in ("core", "operators") for file in NATIVE.glob(f"{folder}/*.cpp")
}
PARTLY = ["-no-pie", "-Wl,--unresolved-symbols=ignore-in-object-files"]
# Most of what a file of those takes to compile, so it is compiled once before them.
HEADERS = ("core/operator.h", "core/reference.h")


def compile_all(command: Sequence[str], sources: dict[str, str], folder: Path) -> list[Path]:
    """The object files of sources, each with its own flags, two at a time; fails in the compiler's words."""
    common, waiting = folder / "common.h", []
    if SHARED.keys() & sources.keys():
        common.write_text("".join(f'#include "{NATIVE / header}"\n' for header in HEADERS))
        subprocess.run([*command, "-x", "c++-header", str(common), "-o", f"{common}.gch"], check=True)
    for source, flags in sources.items():
        target = folder / ("_".join(Path(source).parts[-2:]) + ".o")  # two folders may have a file of a name
        first = ["-include", str(common)] if source in SHARED else []
        waiting.append([*command, *first, *flags.split(), "-c", str(NATIVE / source), "-o", str(target)])
    objects = [Path(compiled[-1]) for compiled in waiting]
    while waiting:
        commands, waiting = waiting[:2], waiting[2:]
        for process in [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
    return objects


def link(command: Sequence[str], objects: Sequence[Path], target: Path) -> Path:
    subprocess.run([*command, *map(str, objects), "-o", str(target)], check=True)
    return target


def run(command: Sequence[str | Path], **variables: str) -> None:
    environment = {**os.environ, **variables}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert result.returncode == 0, (result.stdout + result.stderr)[-8000:]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    return path


@pytest.fixture(scope="module")
def sanitized_kernels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("builds the x86 kernels")
    # What this CPU cannot run needs no checks, which take four fifths of the time. It is linked last, so that
    # of inline functions the checked ones stay.
    runs = {
        source: flags for source, flags in variants("x86_64").items() if Path(source).stem in _native.isas()
    }
    others = {source: f"{flags} -fno-sanitize=all" for source, flags in variants("x86_64").items()}
    sources = runs | SHARED | {source: flags for source, flags in others.items() if source not in runs}
    return compile_all([tool("g++"), *EXACT, *SANITIZE], sources, tmp_path_factory.mktemp("kernels"))


def test_kernels_under_sanitizers(sanitized_kernels: list[Path], tmp_path: Path) -> None:
    compiler = [tool("g++"), *EXACT, *SANITIZE]
    test = compile_all(compiler, {"tests/test_kernels.cpp": ""}, tmp_path)
    run([link([*compiler, *PARTLY], sanitized_kernels + test, tmp_path / "test_kernels"), "150"])


def test_module_under_sanitizers(sanitized_kernels: list[Path], tmp_path: Path) -> None:
    nanobind = Path(pytest.importorskip("nanobind").include_dir()).parent
    headers = [nanobind / "include", nanobind / "ext/robin_map/include", Path(sysconfig.get_path("include"))]
    if not (headers[-1] / "Python.h").exists():
        pytest.skip("needs Python's headers")
    includes = ["-DNDEBUG", *(f"-I{folder}" for folder in headers)]
    sources = {f"python/{file.name}": "" for file in NATIVE.glob("python/*.cpp")}
    compiler = [tool("g++"), *EXACT, *SANITIZE, "-fvisibility=hidden", *includes]
    objects = compile_all(compiler, sources, tmp_path)
    binding = [
        "g++",
        "-std=c++17",
        "-O0",
        "-w",
        "-fPIC",
        "-fvisibility=hidden",
        "-fno-strict-aliasing",
        *includes,
    ]
    objects += compile_all(binding, {str(nanobind / "src/nb_combined.cpp"): ""}, tmp_path)
    module = link([*compiler, "-shared"], sanitized_kernels + objects, tmp_path / "_native.so")

    runtimes = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        for name in ("libasan.so", "libubsan.so")
    ]
    run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "tests.native.sanitized", "-p", "no:cacheprovider",
         "tests/native/test_damaged_plans.py", "tests/regions/test_native_gate.py",
         "tests/native/test_region_plans.py::test_chains_of_operators",
         "tests/native/test_region_plans.py::test_blocks_that_do_not_cover_the_input_are_refused"],
        VIDEOQUANT_NATIVE=str(module),
        PYTHONPATH=str(ROOT),
        LD_PRELOAD=" ".join(runtime.stdout.strip() for runtime in runtimes),
        ASAN_OPTIONS="detect_leaks=0",
    )  # fmt: skip


def test_arm_equals_the_reference_under_emulation(tmp_path: Path) -> None:
    emulator, compiler = tool("qemu-aarch64"), [tool("aarch64-linux-gnu-g++"), *EXACT, "-O0"]
    objects = compile_all(compiler, variants("aarch64") | SHARED | {"tests/test_kernels.cpp": ""}, tmp_path)
    run([emulator, link([*compiler, *PARTLY, "-static"], objects, tmp_path / "test_kernels"), "150"])
