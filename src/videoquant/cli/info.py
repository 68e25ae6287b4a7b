"""`videoquant info`: what this machine runs, to choose an engine by and to put into a bug report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from videoquant import _native
from videoquant.bench.machine import this_machine
from videoquant.cli.console import say
from videoquant.made import VERSION

# What results hang on, in the order of a run: arrays, frames, networks, training, other engines.
PACKAGES = (
    *("numpy", "av", "torch", "onnx", "scipy", "matplotlib"),
    *("onnxruntime", "openvino", "nncf", "supervision", "pycocotools"),
)


def command() -> None:
    """Say what this machine has: CPU, instruction sets, engine, versions of libraries."""
    machine = this_machine(())
    used, *others = _native.isas()
    rest = f" (and {', '.join(others)}, with debug --isa)" if others else ""
    rows = {
        "videoquant": VERSION,
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "CPU": f"{machine.cpu}, {machine.cores} cores for this process",
        "instruction sets": ", ".join(machine.flags) or "none that matter here",
        "integer engine": f"{used} kernels{rest}",
        **{name: _version(name) for name in PACKAGES},
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        say(f"{name:<{width}}  {value}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
