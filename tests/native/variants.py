"""The instruction sets that native/ is compiled for, and their flags, as native/CMakeLists.txt lists them."""

import re
from pathlib import Path

NATIVE = Path(__file__).parents[2] / "native"


def variants(machine: str) -> dict[str, str]:
    """The variants of a machine (x86_64, aarch64, …), best first: their source files with their flags."""
    text = (NATIVE / "CMakeLists.txt").read_text()
    listed = re.findall(r'^variant\((\w+)\s+"([^"]+)"([^)]*)\)', text, re.MULTILINE)
    return {
        f"variants/{name}.cpp": " ".join(flags.split())
        for name, machines, flags in listed
        if re.search(machines, machine)
    }
