"""What the documents print can be run: commands have the options that are shown, snippets end well."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

import videoquant as vq
from videoquant.cli import app
from videoquant.data.writer import VideoWriter
from videoquant.engine import lower

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "experiments").glob("*.md")),
]


def blocks(language):
    """Every block of a language in the documents, with the page it is from."""
    return [
        (page.name, text)
        for page in PAGES
        for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]


def commands():
    """Every `videoquant …` in a block of shell, as words."""
    for page, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):  # settings of the environment
                words.pop(0)
            if words and words[0] == "videoquant":
                yield pytest.param(words[1:], id=f"{page}: {' '.join(words[1:4])}")


COMMANDS = list(commands())


def parse(command, words):
    """Parse words as the command would, down to the last subcommand; nothing runs."""
    context = command.make_context("videoquant", list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_has_the_options_that_are_shown(words):
    parse(typer.main.get_command(app), words)


def test_the_commands_were_found():
    assert len(COMMANDS) > 30
    with pytest.raises(Exception, match="No such option"):
        parse(typer.main.get_command(app), ["inspect", "pose.onnx", "--schemee", "w8a8"])


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_a_snippet_is_python(page, text):
    compile(text, page, "exec")


def snippet(page, word):
    return next(text for name, text in blocks("python") if name == page and word in text)


def test_the_readme_s_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter("clip.mp4", 25) as writer:
        for value in range(6):
            writer.write(np.full((48, 64, 3), 40 * value, np.uint8))
    names = {}
    exec(snippet("README.md", "vq.quantize("), names)
    assert tuple(names["mask"].shape) == (1, 1, 256, 256) and Path("selfie.vq").exists()

    network = names["network"]
    lower(vq.quantize(network, "w8a8", "clip.mp4")).save("pose.plan")  # of another network
    Path("clip.mp4").rename("street.mp4")
    exec(snippet("README.md", "vq.load_plan("), names)
    assert names["outputs"].keys() == network.outputs.keys()


def test_the_snippet_about_data_sets_runs(squares):
    text = (
        snippet("data.md", "camvid:").replace("/data/CamVid", str(squares)).replace("(360, 480)", "(64, 96)")
    )
    names = {}
    exec(text, names)
    assert 0 <= names["score"].result()["miou"] <= 1
