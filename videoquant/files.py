"""Files that are either written whole or not at all, and targets that are checked before long work begins."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videoquant.errors import OutputError

# Failures of the medium: they can strike any write inside a block, and always concern the file being written.
MEDIUM_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file's path beside `path`; it takes the place of `path` when the block ends well.

    The temporary file exists, is empty and has the suffix of `path`. An exception removes it and leaves what
    stood at `path` as it was; a block that removes it itself withdraws in the same way. A link is followed.
    Raises `OutputError`, before the block runs, where `path` cannot be written (its folder is missing, it is
    a folder or a device, no permission), and in place of the system's error where the disk is full or fails.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary_beside(target, path)
    mode = stat.S_IMODE(temporary.stat().st_mode)
    try:
        yield temporary
        if temporary.exists():
            temporary.chmod(
                mode
            )  # some writers put a file of their own, with rights of its own, in its place
            _publish(temporary, target, path)
    except OSError as error:
        if error.errno in MEDIUM_FAILURES:
            raise OutputError(_refusal(path, error)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise `OutputError` where a file cannot be written at `path`. What stands there is not touched."""
    _temporary_beside(Path(os.path.realpath(path)), path).unlink()


def output_folder(path: str | Path) -> Path:
    """The folder `path`, created with its parents where it is missing.

    Raises `OutputError` where it cannot be created, is a file, or does not take files.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _temporary_in(folder).unlink()
    except FileExistsError:
        raise OutputError(f"{path}: is a file; a folder is needed here") from None
    except OSError as error:
        raise OutputError(_refusal(path, error)) from error
    return folder


def check_folder(path: str | Path) -> None:
    """Raise `OutputError` where `output_folder` would. What it has to make for that is removed again."""
    missing = [folder for folder in (Path(path), *Path(path).parents) if not folder.exists()]
    output_folder(path)
    for folder in missing:
        folder.rmdir()


def reason(error: BaseException) -> str:
    """The words of a system or FFmpeg error on one line without the path, such as "permission denied"."""
    return (getattr(error, "strerror", None) or " ".join(str(error).split())).lower()


def _temporary_beside(target: Path, path: str | Path) -> Path:
    """A temporary file on the file system of `target`, so that it can be renamed onto it, with its rights."""
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise OutputError(f"{path}: is a folder; a file is needed here")
        if mode is not None and not stat.S_ISREG(mode):
            raise OutputError(f"{path}: is a device or pipe; only a regular file can be replaced")
        temporary = _temporary_in(target.parent, target.suffix)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
    except OSError as error:
        raise OutputError(_refusal(path, error)) from error
    return temporary


def _temporary_in(folder: Path, suffix: str = "") -> Path:
    """Create an empty file. Its short name fits where the target's name has the greatest length there is."""
    temporary = folder / f".videoquant-{secrets.token_hex(6)}{suffix}"
    temporary.touch(exist_ok=False)
    return temporary


def _publish(temporary: Path, target: Path, path: str | Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        raise OutputError(_refusal(path, error)) from error


def _refusal(path: str | Path, error: OSError) -> str:
    """One line on why `path` cannot be written."""
    if isinstance(error, FileNotFoundError):
        return f"{path}: cannot be written: the folder {Path(path).parent} does not exist"
    if isinstance(error, NotADirectoryError):
        return f"{path}: cannot be written: a part of the path is a file, not a folder"
    return f"{path}: cannot be written: {reason(error)}"
