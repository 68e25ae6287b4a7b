"""All experiments by one command: what is done is not run again, what fails does not stop the others."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import common
import evidence
import pytest

FOLDER = Path(evidence.__file__).parent


def script(code):
    return [sys.executable, "-c", code]


def test_what_is_done_is_not_run_again(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    first = {"a": script("print('ran a')"), "b": script("raise SystemExit(3)"), "c": script("print('ran c')")}
    assert evidence.run_all(first) == 1
    out, err = capfd.readouterr()
    assert "ran a" in out and "ran c" in out and "failed: b" in err
    assert list(json.loads((tmp_path / "evidence.json").read_text())) == ["a", "c"]
    assert evidence.run_all(first | {"b": script("print('ran b')")}) == 0
    out, _ = capfd.readouterr()
    assert "ran b" in out and "ran a" not in out and "a is done" in out
    assert evidence.run_all({"a": first["a"]}, again=True) == 0
    assert "ran a" in capfd.readouterr().out


@pytest.mark.parametrize("name", evidence.EXPERIMENTS)
def test_each_is_there_and_takes_the_options_that_it_gets(name):
    text = (FOLDER / f"{name}.py").read_text()
    options = SimpleNamespace(data="d", carphone=Path("c.mp4"), workers=2, clips=["x"], networks="n")
    said = [word for word in evidence.command(name, options) if word.startswith("--")]
    carphone, workers = evidence.EXPERIMENTS[name]
    assert ("--carphone" in said, "--workers" in said) == (carphone, workers)
    assert carphone == ("--carphone" in text)
    # `side_by_side` is where --workers comes from.
    assert workers == ("side_by_side" in text)
