"""The order of the rooms: imports point down, never up and never round in a circle; files stay short."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "videoquant"
MOST_LINES = 300

# Lower rooms first; files of one line may import each other, without a circle. A file that is not named
# belongs to its folder.
ROOMS = (
    "errors text interrupt made stopwatch markup",
    "limits files torch_settings json_file",
    "typed_json tensor_file",
    "ranges axes",
    "schemes scheme_text presets",
    "regions data network.frames network.video_frame network.ycbcr network.box_layout network.preprocessing",
    "network.input_arrays",
    "runtime tasks",
    "network",
    "quantizers models",
    "simulate",
    "calibration",
    "saved_network quantized_onnx storage torch_file content_hash kept_files calibration_cache",
    "engine costs exporting",
    "training",
    "comparison bench api",
    "report",
    "cli",
)


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name without `videoquant.`; a package by its `__init__`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def arrows() -> dict[str, list[str]]:
    """The modules that each module imports."""
    return {name: sorted(set(imports(path)) - {name}) for name, path in MODULES.items()}


def imports(path: Path) -> Iterator[str]:
    """The package's modules that a file imports, in functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] != "videoquant":
                continue
            inside = name.removeprefix("videoquant").removeprefix(".")
            while inside and inside not in MODULES:
                inside = inside.rpartition(".")[0]
            if inside:  # `from videoquant import _native` needs nothing of the package's own file
                yield inside


def room(module: str) -> int:
    """The place of a module's room in the order; that of the longest name that fits."""
    places = {name: place for place, names in enumerate(ROOMS) for name in names.split()}
    while module not in places:
        assert module, "a room that is not in the order"
        module = module.rpartition(".")[0]
    return places[module]


def circles() -> list[list[str]]:
    """The sets of files that import each other, directly or by way of others (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in arrows()[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            circle = [stack.pop()]
            while circle[-1] != name:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted(circle))

    for name in arrows():
        if name not in index:
            visit(name)
    return found


def test_no_circle_of_imports() -> None:
    assert circles() == []


def test_no_arrow_points_upward() -> None:
    upward = [
        f"{name} imports {other}"
        for name, others in arrows().items()
        if name not in ("", "__main__")
        for other in others
        if other and room(other) > room(name)
    ]
    assert upward == []


@pytest.mark.parametrize(
    "folder", ["src/videoquant", "native", "tests", "benchmarks", "experiments"], ids=lambda folder: folder
)
def test_a_long_file_says_why_in_its_first_comment(folder: str) -> None:
    long = []
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix not in (".py", ".cpp", ".h"):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MOST_LINES and "Long because" not in " ".join(lines[:25]):
            long.append(f"{path.relative_to(ROOT)}: {len(lines)}")
    assert long == []
