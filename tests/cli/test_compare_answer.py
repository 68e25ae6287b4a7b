"""`videoquant compare` ends with one answer, and refuses wishes that it cannot follow before the work."""

import json
import shlex

import pytest


def test_it_says_what_to_take_and_how_to_make_it(command, small, clip):
    code, out, _ = command(
        *("compare", small, "--video", clip, "--schemes", "fp32; w8a8; w8a4", "--frames", 36),
        *("--keep", "SQNR >= 5", "--json", "r.json"),
    )
    assert code == 0
    with open("r.json") as file:
        chosen = json.load(file)["answer"]["scheme"]
    words = " ".join(out.split())
    assert chosen in ("w8a8", "w8a4") and f"Take `{chosen}`: SQNR " in words
    assert "surely keeps SQNR ≥ 5 dB" in words
    made = next(line for line in out.splitlines() if line.startswith("videoquant quantize"))
    assert shlex.split(made)[2:5] == [str(small), "--scheme", chosen]
    with open("videoquant-report/report.html") as file:
        page = file.read()
    assert "<section class='answer'" in page and page.count("chosen' data-scheme") == 1
    code, _, _ = command(*shlex.split(made)[1:])
    assert code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--keep", "speed >= 3"), "--keep: speed is not measured here; there are mask IoU, SQNR"),
        (("--keep", "fast"), "it must be MEASURE >= X or MEASURE <= X"),
        (("--target", "mj"), "--target mj: needs --chip NAME"),
        (("--target", "joules"), "--target joules: it must be gbops, ms or mj"),
    ],
)
def test_wishes_that_cannot_be_followed(command, small, clip, options, message):
    code, out, err = command("compare", small, "--video", clip, *options)
    assert (code, out) == (2, "") and err.count("\n") == 1 and message in err
