"""What the shell offers: commands, and the options of each."""

import os
import subprocess
import sys

import pytest

CALL = "import sys; sys.argv[0] = 'videoquant'; from videoquant.cli import main; main()"


@pytest.mark.parametrize(
    ("words", "offered"),
    [("videoquant comp", ["compare"]), ("videoquant info --he", ["--help"]), ("videoquant no", [])],
)
def test_bash_is_offered(words, offered):
    asked = {
        "_VIDEOQUANT_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", CALL], capture_output=True, text=True, env=os.environ | asked
    )
    assert done.stdout.split() == offered and done.stderr == ""
