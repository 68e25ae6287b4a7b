"""A folder of files that hold what was computed before, each by the key of all that it depends on.

A file's name ends with the hash of its bytes, which are compared before it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

LIMIT = 1 << 30  # bytes of a folder's files of one kind: beyond it what was not used for longest is removed


def kept(folder: Path, key: str, suffix: str) -> Iterator[Path]:
    """The files of a key that are whole; the others are removed."""
    for path in folder.glob(f"{key}-*{suffix}"):
        with suppress(OSError):
            if path.name == _name(key, path, suffix):
                os.utime(path)  # it is used
                yield path
            else:
                path.unlink()


def keep(folder: Path, key: str, suffix: str, written: Path) -> None:
    """Take a file that was written in the folder as that of a key. Raises `OSError`."""
    written.replace(folder / _name(key, written, suffix))
    entries = []
    for path in folder.glob(f"*{suffix}"):
        with suppress(FileNotFoundError):  # another process has removed it
            entries.append((path.stat(), path))
    total = 0
    for stat, path in sorted(entries, key=lambda entry: -entry[0].st_mtime):
        total += stat.st_size
        if total > LIMIT:
            path.unlink(missing_ok=True)


def _name(key: str, path: Path, suffix: str) -> str:
    return f"{key}-{blake2b(path.read_bytes(), digest_size=16).hexdigest()}{suffix}"
