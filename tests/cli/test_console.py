"""Saying something never fails: on terminals of other encodings, closed pipes, full disks, with any name."""

import io
import os
import re
import sys

import pytest
from rich.table import Table

from videoquant.cli import console as module
from videoquant.cli.console import console, note, progress_bar, say, unfailing_streams


def said_to(encoding, speak, monkeypatch):
    """What arrives at a stdout of an encoding."""
    below = io.BytesIO()
    stream = io.TextIOWrapper(below, encoding)  # which closes what is below when it goes
    monkeypatch.setattr(sys, "stdout", stream)
    with unfailing_streams():
        speak()
    monkeypatch.undo()
    return below.getvalue()


def test_signs_that_an_encoding_lacks_become_plain_ones(monkeypatch):
    text = "3×3 w8a8→w4a4 ↑ 5 µs 猫"
    assert said_to("ascii", lambda: say(text), monkeypatch) == b"3x3 w8a8>w4a4 ^ 5 us \\u732b\n"
    assert said_to("cp1252", lambda: say(text), monkeypatch) == "3×3 w8a8>w4a4 ^ 5 µs \\u732b\n".encode(
        "cp1252"
    )
    assert said_to("utf-8", lambda: say(text), monkeypatch) == f"{text}\n".encode()


@pytest.mark.parametrize("name", ["Title [a1b2]", "head[conv]", "x[/y]", "[bold]", ":cat:", "a[", "{task}"])
def test_names_are_no_markup(name, capsys):
    table = Table(title=name)
    table.add_column(name)
    table.add_row(name)
    say(name)
    note(name)
    console.print(table)
    with progress_bar(name, 1) as advance:
        advance()
    out, err = capsys.readouterr()
    assert out.count(name) == 4 and err.count(name) == 1


def test_control_characters_of_a_name_reach_no_terminal(capsys):
    table = Table()
    table.add_row("a\x1b[2Jb")
    say("a\x1b[2Jb\nc")
    console.print(table)
    out = capsys.readouterr().out
    assert "\x1b" not in out and out.startswith("a\\x1b[2Jb\\nc\n") and out.count("\\x1b[2J") == 2


def test_a_pipe_that_nobody_reads_any_more_stops_nothing(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))
    with unfailing_streams():
        for _ in range(3):
            say("a line")
    sys.stdout.close()


def test_a_full_disk_under_stdout_is_exit_code_2_at_the_end(monkeypatch, capsys):
    with open("/dev/full", "w") as full, pytest.raises(SystemExit) as caught:
        monkeypatch.setattr(sys, "stdout", full)
        with unfailing_streams():
            say("a line")
            done = True
    assert done and caught.value.code == 2
    assert capsys.readouterr().err == (
        "videoquant: error: standard output: cannot be written: no space left on device\n"
    )


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch, capsys):
    clock = iter(range(0, 100, 4))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with progress_bar("calibrating", 9) as advance:
        for _ in range(9):
            advance("calibrating w8a8")
    lines = capsys.readouterr().err.splitlines()
    assert lines and len(lines) < 9
    assert all(re.fullmatch(r"calibrating w8a8: \d of 9, \d+ s left", line) for line in lines)
    with progress_bar("short", 2) as advance:
        advance()
    assert capsys.readouterr().err == ""
