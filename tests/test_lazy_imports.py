"""What is imported when: neither the package nor its help brings PyTorch or another slow library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import videoquant
from videoquant.cli import COMMANDS, load_command
from videoquant.errors import QUANTIZE_PACKAGES, MissingExtraError, needs_extra

HELP = """
import sys
from videoquant.cli import main
sys.argv = ["videoquant", *{words!r}]
try:
    main()
except SystemExit:
    pass
"""


def imported(program):
    """The packages of `QUANTIZE_PACKAGES` that a program, run by a Python of its own, imports."""
    said = "import sys\n" + program + "\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert "videoquant" in done.stderr.split()
    return set(QUANTIZE_PACKAGES) & set(done.stderr.split())


@pytest.mark.parametrize(
    "program",
    [
        "import videoquant",
        "import videoquant as vq; dir(vq); vq.VideoQuantError",
        HELP.format(words=["--help"]),
        HELP.format(words=["--version"]),
        HELP.format(words=["no-such-command"]),
    ],
    ids=["import", "errors", "help", "version", "typo"],
)
def test_no_slow_library_is_imported(program):
    assert imported(program) == set()


def test_help_of_one_command_imports_what_that_command_needs():
    program = HELP.format(words=["chips", "--help"])
    there = "assert 'videoquant.cli.chips' in sys.modules"
    imported(f"{program}\n{there}\nassert 'videoquant.cli.train' not in sys.modules")


def test_quantizing_brings_what_takes_as_long_as_pytorch_only_for_predicted_ranges():
    assert imported("from videoquant import quantize\nimport videoquant.engine") == {"torch"}


def test_a_comparison_draws_its_page_without_matplotlib():
    program = (
        "import videoquant.cli.compare, videoquant.report.html\nassert 'scipy.optimize' not in sys.modules"
    )
    assert "matplotlib" not in imported(program)


def test_the_help_of_all_commands_is_the_first_line_of_each():
    shown = {name: (load_command(name).help or "").split("\n\n")[0] for name in COMMANDS}
    assert shown == COMMANDS


def test_every_name_is_there_and_listed():
    assert set(videoquant.__all__) <= set(dir(videoquant))
    for name in videoquant.__all__:
        assert getattr(videoquant, name).__name__.endswith(name)


def test_type_checkers_are_told_of_the_same_names():
    (block,) = (
        node for node in ast.parse(Path(videoquant.__file__).read_text()).body if isinstance(node, ast.If)
    )
    told = {alias.name: line.module for line in block.body for alias in line.names}
    assert told == videoquant._HOMES | {"models": "videoquant"}


def test_modules_are_found_as_attributes():
    assert imported("import videoquant\nassert videoquant.limits.GIB == 2**30") == set()
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        _ = videoquant.quantise


def test_a_library_that_is_not_installed_is_said_in_one_line():
    program = """
sys.modules["torch"] = None
import videoquant as vq
try:
    from videoquant import quantize
except vq.MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", "import sys" + program], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        'videoquant.quantize needs torch, which is not installed: pip install "videoquant[quantize]"\n'
    )


def test_other_imports_that_fail_are_left_as_they_are():
    with pytest.raises(MissingExtraError), needs_extra("a thing"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    with pytest.raises(ModuleNotFoundError, match="of somebody"), needs_extra("a thing"):
        raise ModuleNotFoundError("a module of somebody", name="somebody")
