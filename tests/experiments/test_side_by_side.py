"""Parts of experiments side by side: rows as in one process, what is stored is not measured again."""

import json

import labelled
import pytest
import side_by_side

from videoquant.comparison.workers import Processes, one_by_one
from videoquant.torch_settings import threads_of_pytorch

SCHEMES = ("fp32", "w8a8->w4a4 T=3", "w2a2")


def test_rows_are_those_of_one_process(video, tmp_path):
    with threads_of_pytorch(1):
        expected = labelled.measured("one", video.about(), SCHEMES, video.calibrated)
    labelled.measured("two", video.about(), SCHEMES[1:2], video.calibrated)
    with Processes(2) as run:
        found = labelled.measured("two", video.about(), SCHEMES, video.calibrated, run=run)
    assert found == expected and list(found["rows"]) == list(SCHEMES)
    assert json.loads((tmp_path / "two.json").read_text()) == json.loads((tmp_path / "one.json").read_text())


@pytest.mark.parametrize("run", [None, one_by_one])
def test_each_key_comes_with_what_its_part_gives(run):
    assert list(side_by_side.done("ab", str.upper, run)) == [("a", "A"), ("b", "B")]


def test_what_was_stopped_says_so():
    def stopped(tasks, progress):
        yield 1, "B"

    found = side_by_side.done("ab", str.upper, stopped)
    assert next(found) == ("b", "B")
    with pytest.raises(KeyboardInterrupt):
        next(found)
