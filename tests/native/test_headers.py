"""Every header of native/kernels and native/simd compiles alone, for an instruction set that has it.

One of each machine: that the same text compiles for the others too, the build of the module shows.
"""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.native.variants import NATIVE, variants

STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
HEADERS = {*NATIVE.glob("kernels/*.h"), *NATIVE.glob("simd/*.h")}


def compilers() -> dict[str, str]:
    """The machines that there is a compiler for at hand, with its name."""
    here = platform.machine().replace("AMD64", "x86_64").replace("arm64", "aarch64")
    names = {here: "g++", **({} if here == "aarch64" else {"aarch64": "aarch64-linux-gnu-g++"})}
    return {machine: name for machine, name in names.items() if shutil.which(name)}


def choices(source: str) -> list[str]:
    """What a file of variants/ defines before it includes kernels, as options of a compiler."""
    defined = re.findall(r"^#define (VQ_\w+) (.+)$", (NATIVE / source).read_text(), re.MULTILINE)
    return [f"-D{name}={value}" for name, value in defined]


def included(command: Sequence[str], source: str) -> set[Path]:
    rule = subprocess.run([*command, "-MM", NATIVE / source], capture_output=True, text=True, check=True)
    return {Path(word).resolve() for word in rule.stdout.replace("\\\n", " ").split()} & HEADERS


def parse(command: Sequence[str], header: Path) -> str:
    """What the compiler says of a file that includes this header and nothing else."""
    text = f'#include "{header}"\n'
    result = subprocess.run(
        [*command, *STRICT, "-fsyntax-only", "-x", "c++", "-"], input=text, capture_output=True, text=True
    )
    return result.stderr


def library_first(command: Sequence[str], machine: str, folder: Path) -> list[str]:
    """The command with the library's large headers read and compiled before, which all of core/ includes.

    That halves the time; `<algorithm>`, `<cmath>` and other small ones a header still has to include itself.
    """
    vectors = {"x86_64": "immintrin.h", "aarch64": "arm_neon.h"}[machine]
    path = folder / "library.h"
    path.write_text("".join(f"#include <{name}>\n" for name in (vectors, "memory", "string", "vector")))
    subprocess.run([*command, *STRICT, "-x", "c++-header", str(path), "-o", f"{path}.gch"], check=True)
    return [*command, "-include", str(path)]


def cases() -> list[tuple[str, str, str]]:
    """The variants of those machines; the scalar reference includes none of these headers."""
    return [
        (compiler, source, flags)
        for machine, compiler in compilers().items()
        for source, flags in variants(machine).items()
        if source != "variants/reference.cpp"
    ]


@pytest.mark.parametrize("machine", compilers())
def test_headers_compile_alone(machine: str, tmp_path: Path) -> None:
    seen: set[Path] = set()
    compiler = compilers()[machine]
    for _, source, flags in (case for case in cases() if case[0] == compiler):
        headers = sorted(included([compiler, *flags.split()], source) - seen)
        seen.update(headers)
        command = [*library_first([compiler, *flags.split()], machine, tmp_path), *choices(source)]
        with ThreadPoolExecutor(2) as pool:
            for header, errors in zip(headers, pool.map(partial(parse, command), headers), strict=True):
                assert errors == "", f"{header.name} for {source}"
    assert seen


def test_every_header_belongs_to_an_instruction_set() -> None:
    if len(compilers()) < 2:
        pytest.skip("needs compilers for x86-64 and Arm")
    found = [included([compiler, *flags.split()], source) for compiler, source, flags in cases()]
    assert set().union(*found) == HEADERS


def test_a_header_asks_for_its_instruction_set() -> None:
    compiler = shutil.which("g++") or pytest.skip("needs g++")
    assert "VQ_ISA, VQ_VECTORS, VQ_CODES and VQ_PRODUCTS" in parse([compiler], NATIVE / "kernels" / "conv.h")


def test_kernels_call_no_inline_functions_of_the_library() -> None:
    """Those are compiled for each instruction set under one name, and the linker keeps any of them: maybe one
    that this CPU cannot run. C's functions (`::floorf`) are not inline.
    """
    inline = re.compile(r"std::(?:abs|ceil|erf|exp|fabs|floor|fma|fmax|fmin|log|log1p|pow|round|sqrt|tanh)\(")
    assert {path.name for path in HEADERS if inline.search(path.read_text())} == set()
