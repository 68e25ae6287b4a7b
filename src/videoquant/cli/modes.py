"""The names of what can run a network, and their options; what needs PyTorch for it is in `engines.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from videoquant.axes import Regions
from videoquant.errors import SchemeError
from videoquant.runtime.session import MODES, modes_of
from videoquant.scheme_text import read_rule
from videoquant.schemes import Scheme

SIMULATE = "simulate"
ENGINES = (SIMULATE, *MODES)
COMPARABLE = (SIMULATE, "frame", "exact", "onnxruntime", "openvino")  # the engines of a comparison

ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, max=1024, help="Threads of the integer engine.")
]


def read_engine(text: str | None) -> tuple[str | None, Regions | None]:
    """The engine that --engine names, and the rule that it may have behind it: "regions floor=24".

    Raises `SchemeError` for an engine that there is not, and for other words.
    """
    name, space, _ = (text or "").partition(" ")
    if text is None or (name in ENGINES and not space):
        return text, None
    if name == "regions":
        return name, read_rule(text)
    raise SchemeError(f"--engine {text}: it must be {', '.join(ENGINES[:-1])} or {ENGINES[-1]}")


def default_mode(scheme: Scheme) -> str:
    """The mode of the engine where --engine names none: exact, or the first that the scheme runs in."""
    modes = modes_of(scheme)
    return "exact" if "exact" in modes else modes[0]
