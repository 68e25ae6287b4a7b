"""Errors a user can cause and mend. Each message is one line: what was wrong, where, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from videoquant.text import printable


class VideoQuantError(ValueError):
    """Base of every error that `videoquant` raises for bad input. The commands print it and exit with 2.

    The message is one line, whatever names it holds (`text.printable`).
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class NetworkError(VideoQuantError):
    """A network that cannot be read or run: a damaged file, an unsupported operator, bad weights."""


class SchemeError(VideoQuantError):
    """A scheme that is malformed, out of range, or does not fit what it is asked to do."""


class DataError(VideoQuantError):
    """A clip, image or frame that is missing, unreadable, of the wrong size, or not finite."""


class ChipError(VideoQuantError):
    """A chip file with a missing or impossible value, or measurements that a chip cannot be fitted to."""


class OutputError(VideoQuantError):
    """A file or folder that cannot be written."""


class WorkerError(VideoQuantError):
    """Processes that are lost again and again, or a cluster that cannot be used."""


class MissingExtraError(VideoQuantError, ImportError):
    """Something that `pip install videoquant` alone does not bring the packages for."""


class CalibrationWarning(UserWarning):
    """Calibration that cannot do as asked, and what it does instead."""


class StreamWarning(UserWarning):
    """A stream that is given what its scheme gains nothing on."""


# What `pip install "videoquant[quantize]"` adds, by the names they are imported by.
QUANTIZE_PACKAGES = ("torch", "onnx", "scipy", "sklearn", "matplotlib", "vl_convert")


@contextmanager
def needs_extra(what: str) -> Iterator[None]:
    """Raise `MissingExtraError` where the block imports one of `QUANTIZE_PACKAGES`, which is not installed.

    what: it, as the message calls it: "videoquant compare".
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in QUANTIZE_PACKAGES:
            raise
        raise MissingExtraError(
            f'{what} needs {missing.name}, which is not installed: pip install "videoquant[quantize]"'
        ) from None


@contextmanager
def refused_as(error: type[VideoQuantError], what: str) -> Iterator[None]:
    """The boundary around reading what somebody else made: whatever the block raises becomes one line.

    The package's own errors pass. Any other exception becomes `error`, "`what` (the exception's words)". It
    stands *behind* checks that say what is wrong, for what they did not foresee; it does not replace them.
    what: the file and what is thought of it, such as "pose.onnx: not an ONNX file, or damaged".
    """
    try:
        yield
    except VideoQuantError:
        raise
    except Exception as unforeseen:
        if ran_out_of_memory(unforeseen):
            raise error(f"{what} (it needs more memory than there is)") from None
        words = " ".join(str(unforeseen).split()) or type(unforeseen).__name__
        raise error(f"{what} ({words[:200]})") from unforeseen


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory could not be had: Python's own, or PyTorch's `RuntimeError`."""
    words = ("can't allocate memory", "out of memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError) and any(word in str(error) for word in words)
    )
