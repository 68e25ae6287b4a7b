"""What made a file of results: the version, when, and the command if it was one."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from videoquant.text import printable

VERSION = version("videoquant")


def made_by() -> dict[str, str]:
    """The version of the package, the date (now, UTC, as in 2026-01-31T12:00:00Z) and the command line.

    Where the environment has SOURCE_DATE_EPOCH (seconds since 1970), the date is that one, so that the same
    inputs give the same file: https://reproducible-builds.org/specs/source-date-epoch/.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(fixed), UTC) if fixed.isdecimal() else datetime.now(UTC)
    program = "videoquant" if Path(sys.argv[0]).stem in ("videoquant", "__main__") else sys.argv[0]
    return {
        "version": VERSION,
        "date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": printable(shlex.join([program, *sys.argv[1:]])),
    }
