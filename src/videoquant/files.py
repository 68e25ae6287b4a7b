"""Files that are either written whole or not at all, and targets that are checked before long work begins."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from videoquant.errors import OutputError, VideoQuantError

# Failures of the medium: they can strike any write inside a block, and always concern the file being written.
MEDIUM_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
# Whose a temporary file is: place, process, its start, and a random part.
_TEMPORARY = re.compile(r"\.videoquant-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{6}(\..*)?")
_LONGEST_SUFFIX = 16  # of those that tell a writer a format; longer ones would not fit behind the name


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file's path beside `path`; it takes the place of `path` when the block ends well.

    The temporary file exists, is empty and has the suffix of `path`. An exception removes it and leaves what
    stood at `path` as it was; a block that removes it itself withdraws in the same way. A link is followed.
    What a process that was killed has left in the folder is removed.
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


def check_writable(path: str | Path, size: int = 0) -> None:
    """Raise `OutputError` where a file cannot be written at `path`. What stands there is not touched.

    size: bytes that it will have at least, for which there must be room.
    """
    target = Path(os.path.realpath(path))
    _temporary_beside(target, path).unlink()
    free = shutil.disk_usage(target.parent).free
    if free < size:
        raise OutputError(
            f"{path}: needs at least {size / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free there"
        )


def check_file(path: str | Path, error: type[VideoQuantError]) -> None:
    """Raise `error` unless a file is there to be read at `path`.

    It is looked at and not opened: to open a pipe is to wait for whoever writes into it.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, ValueError) as problem:  # ValueError: a name with a null byte
        raise error(f"{path}: cannot be read: {reason(problem)}") from None
    if stat.S_ISDIR(mode):
        raise error(f"{path}: is a folder; a file is needed here")
    if not stat.S_ISREG(mode):
        raise error(f"{path}: is a device or pipe; a regular file is needed here")


def check_safetensors(path: str | Path, error: type[VideoQuantError]) -> None:
    """`check_file`, and raise `error` for a path that is not UTF-8: safetensors opens no others."""
    check_file(path, error)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise error(f"{path}: is no UTF-8, as safetensors needs the path of a file; rename it") from None


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
    missing = [folder for folder in (Path(path), *Path(path).parents) if not os.path.exists(folder)]
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
    _remove_abandoned(folder)
    owner = f"{_place()}-{os.getpid()}-{_start(os.getpid())}"
    short = suffix if len(suffix) <= _LONGEST_SUFFIX else ""
    temporary = folder / f".videoquant-{owner}-{secrets.token_hex(3)}{short}"
    temporary.touch(exist_ok=False)
    return temporary


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that ended without removing them: they were killed.

    Only those that are known to be dead: of this user, this running system, and this view of its processes,
    so that what another computer or container writes into a shared folder is left alone.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None or found[1] != _place() or _start(int(found[2])) == found[3]:
                continue
            if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                os.unlink(entry)


@cache
def _place() -> str:
    """Where a process number says which process is meant: a host since it was booted, and a container on it.

    Where the system does not tell these (it is no Linux), a value of its own for every process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        words = f"{platform.node()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return secrets.token_hex(4)
    return hashlib.blake2b(words.encode(), digest_size=4).hexdigest()


def _start(process: int) -> str:
    """When a process was started, in ticks since the system was; "0" where there is none of this number."""
    try:
        # What stands in parentheses is the command, which may hold anything; after it, `start` is the 20th.
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return "0"


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
