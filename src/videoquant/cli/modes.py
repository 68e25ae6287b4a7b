"""The names of what can run a network, and their options; what needs PyTorch for it is in `engines.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from videoquant.errors import SchemeError
from videoquant.runtime.session import MODES, modes_of
from videoquant.schemes import Scheme

SIMULATE = "simulate"
ENGINES = (SIMULATE, *MODES)
BUDGET = 0.02  # where the user names none

ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, max=1024, help="Threads of the integer engine.")
]


def check_engine(name: str | None) -> None:
    """Raise `SchemeError` for an --engine that there is not."""
    if name is not None and name not in ENGINES:
        raise SchemeError(f"--engine {name}: it must be {', '.join(ENGINES[:-1])} or {ENGINES[-1]}")


def default_mode(scheme: Scheme) -> str:
    """The mode of the engine where --engine names none: exact, or the first that the scheme runs in."""
    modes = modes_of(scheme)
    return "exact" if "exact" in modes else modes[0]
