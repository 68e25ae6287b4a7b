"""What the commands say: results on stdout, notes and progress on stderr. Saying something never fails.

Names are text here and no markup, whatever brackets they hold; what a terminal cannot show is replaced.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from videoquant.files import reason
from videoquant.text import printable

PIPE_WIDTH = 240  # a pipe has no width; with this nothing is folded, so that names can be searched for
EVERY_SECONDS = 10.0  # between two lines of progress where there is no terminal to draw a bar on

# Our own signs where an encoding lacks them; one character each, so that columns stay in line.
_PLAIN = {ord(sign): plain for sign, plain in zip("×→↑↓µατ–−’…·≤≥∞", "x>^vuat--'~.<>#", strict=True)}


class _Console(Console):
    def __init__(self, stderr: bool) -> None:
        stream = sys.stderr if stderr else sys.stdout  # None where it is closed
        width = None if stream is not None and stream.isatty() else PIPE_WIDTH
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(_fit(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_fit(segment.text), segment.style)


console = _Console(stderr=False)  # results
status = _Console(stderr=True)  # progress and notes, so that results can be piped


def say(text: str) -> None:
    """A line of results, which no terminal folds."""
    console.print(printable(text), soft_wrap=True)


def note(text: str) -> None:
    """A line about what goes on."""
    status.print(printable(text), soft_wrap=True)


class Advance(Protocol):
    """Called after each step. text: what goes on, where that is not what the bar began with."""

    def __call__(self, text: str | None = None, /) -> None: ...


@contextmanager
def progress_bar(text: str, total: int | None) -> Iterator[Advance]:
    """A progress bar on stderr, or a line every `EVERY_SECONDS` where that is no terminal.

    Yields a function to call after each step.
    total: how many there will be; None where nobody knows.
    """
    if not _draws():
        yield _lines(text, total)
        return
    name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
    columns = (name, BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=status, transient=True, expand=True) as progress:
        bar = progress.add_task(printable(text), total=total)

        def advance(now: str | None = None) -> None:
            progress.update(bar, advance=1, description=None if now is None else printable(now))

        yield advance


@contextmanager
def busy(text: str) -> Iterator[None]:
    """A line on stderr while the block runs, where that is a terminal."""
    if not _draws():
        yield
        return
    with status.status(Text(printable(text)), spinner="line"):
        yield


@contextmanager
def unfailing_streams() -> Iterator[None]:
    """Within the block no write to stdout or stderr raises, whatever their encoding and their other end.

    Signs that the encoding lacks are replaced. Where nobody reads a pipe any more, what is written is dropped
    and the work goes on. Where stdout fails otherwise, as on a full disk, the block ends in exit code 2.
    """
    plain = (sys.stdout, sys.stderr)
    streams = [_Unfailing.around(stream) for stream in plain]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        failure = getattr(streams[0], "failure", None)
        if failure is not None and failure.errno != errno.EPIPE:
            print(
                f"videoquant: error: standard output: cannot be written: {reason(failure)}", file=sys.stderr
            )
        for stream in streams:
            if isinstance(stream, _Unfailing):
                stream.flush()
                stream.detach()
        sys.stdout, sys.stderr = plain
        if failure is not None and failure.errno != errno.EPIPE:
            sys.exit(2)


class _Unfailing(io.TextIOWrapper):
    """A text stream that drops what cannot be written. failure: the first error that was met."""

    failure: OSError | None = None

    @classmethod
    def around(cls, stream: TextIO) -> TextIO:
        """The same stream, unfailing; as it is where it is closed or made of text alone."""
        if not isinstance(stream, io.TextIOWrapper):
            return stream
        return cls(stream.buffer, stream.encoding, "videoquant", write_through=True)

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """From here on everything goes nowhere: else Python would fail once more when it closes the file."""
        self.failure = self.failure or error
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end].translate(_PLAIN)
    return signs.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("videoquant", _replaced)


def _fit(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _draws() -> bool:
    return status.is_terminal and not status.is_dumb_terminal


def _lines(text: str, total: int | None) -> Advance:
    done, said = 0, time.monotonic()
    began = said

    def advance(now: str | None = None) -> None:
        nonlocal done, said
        done += 1
        if time.monotonic() - said >= EVERY_SECONDS:
            said = time.monotonic()
            note(f"{now or text}: {done}" + ("" if total is None else f" of {total}, {_left(total)} left"))

    def _left(total: int) -> str:
        seconds = (time.monotonic() - began) * (total - done) / done
        return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

    return advance
