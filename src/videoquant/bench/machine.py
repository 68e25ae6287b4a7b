"""The machine that times were taken on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "asimddp")


@dataclass(frozen=True)
class Machine:
    """cpu: its name. cores: that this process may use. flags: its instruction sets, those that matter here.

    versions: of Python and of the packages that were measured.
    """

    cpu: str
    cores: int
    flags: tuple[str, ...]
    versions: dict[str, str]


def this_machine(packages: Iterable[str]) -> Machine:
    """packages: whose versions to note."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    name = re.search(r"model name\s*: (.*)", text)
    known = set(text.split())
    return Machine(
        name[1] if name else platform.processor() or platform.machine(),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        tuple(flag for flag in FLAGS if flag in known),
        {"python": platform.python_version(), **{name: version(name) for name in packages}},
    )
