"""How the parts of a benchmark that take long show their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

# Called with what is done and how many steps it takes, or None; yields what to call after each.
Bar = Callable[[str, int | None], AbstractContextManager[Callable[[], None]]]


@contextmanager
def no_bar(text: str, total: int | None) -> Iterator[Callable[[], None]]:
    yield lambda: None
