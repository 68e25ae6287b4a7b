"""Errors a user can cause and mend. Each message is one line: what was wrong, where, what to do."""


class VideoQuantError(ValueError):
    """Base of every error that `videoquant` raises for bad input. The commands print it and exit with 2."""


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


class CalibrationWarning(UserWarning):
    """Calibration that cannot do as asked, and what it does instead."""
