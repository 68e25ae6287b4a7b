import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from videoquant.errors import DataError, OutputError
from videoquant.files import atomic_write, check_file, check_folder, check_writable, output_folder, reason


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with atomic_write(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".json"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(tmp_path) == ["report.json"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "report"):
        pass
    assert (tmp_path / "report").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.touch(0o600)
    with atomic_write(target):
        pass
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(error), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["report.json"]


def test_a_block_that_removes_its_file_withdraws(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "report.json") as temporary:
        temporary.unlink()
    assert names(tmp_path) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_the_longest_name_there_is(tmp_path: Path) -> None:
    target = tmp_path / ("a" * 250 + ".json")
    with atomic_write(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    target = tmp_path / "report"
    refused = pytest.raises(OutputError, match=r"report: cannot be written: no space left on device$")
    with refused, atomic_write(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_other_errors_of_the_block_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "report"):
        (tmp_path / "absent").read_text()


@pytest.mark.parametrize("write", [check_writable, lambda path: atomic_write(path).__enter__()])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "is a folder; a file is needed here"),
        ("/", "is a folder; a file is needed here"),
        ("absent/report", "the folder .*absent does not exist"),
        ("file/report", "a part of the path is a file, not a folder"),
        ("pipe", "is a device or pipe"),
        ("a" * 300, "file name too long"),
    ],
)
def test_targets_that_cannot_be_written(tmp_path: Path, write, path: str, message: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("here")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=message) as caught:
        write(tmp_path / path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file", "folder", "pipe"]
    assert (tmp_path / "file").read_text() == "here"


def test_checking_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    check_writable(tmp_path / "old")
    check_writable(tmp_path / "new")
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_an_output_folder_is_created_with_its_parents(tmp_path: Path) -> None:
    folder = output_folder(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert names(folder) == []
    (folder / "kept").touch()
    assert names(output_folder(str(folder))) == ["kept"]


@pytest.mark.parametrize(
    ("path", "message"), [("file", "is a file"), ("file/below", "a part of the path is a file")]
)
def test_folders_that_cannot_be_created(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=message):
        output_folder(tmp_path / path)


def test_reason_is_one_line_without_the_path() -> None:
    assert reason(PermissionError(errno.EACCES, "Permission denied", "/secret")) == "permission denied"
    assert reason(ValueError("two\nlines")) == "two lines"


def test_a_folder_that_is_checked_leaves_nothing(tmp_path):
    check_folder(tmp_path / "new" / "report")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    check_folder(tmp_path / "old")
    assert list(tmp_path.iterdir()) == [tmp_path / "old"] and list((tmp_path / "old").iterdir()) == []
    (tmp_path / "file").touch()
    for place in ("file", "file/report"):
        with pytest.raises(OutputError, match=place):
            check_folder(tmp_path / place)


def abandoned(folder: Path, name: str) -> Path:
    """A temporary file with the name of one whose process is gone: its number was given out anew."""
    with atomic_write(folder / name) as temporary:
        place, process, start, rest = temporary.name.removeprefix(".videoquant-").split("-")
        left = folder / f".videoquant-{place}-{process}-{int(start) - 1}-{rest}"
        left.write_text("half")
        temporary.unlink()
    return left


linux = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes are told apart by /proc")


@linux
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from videoquant.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.mp4")])
    assert done.returncode == -signal.SIGKILL and len(names(tmp_path)) == 1
    check_writable(tmp_path / "b")
    assert names(tmp_path) == []


@linux
def test_a_number_that_was_given_out_anew_is_another_process(tmp_path: Path) -> None:
    left = abandoned(tmp_path, "a.mp4")
    check_folder(tmp_path)
    assert not left.exists()


@linux
@pytest.mark.parametrize("what", ["a living process", "another host", "an older release", "no file of ours"])
def test_what_may_still_be_written_stays(tmp_path: Path, what: str) -> None:
    with atomic_write(tmp_path / "a.mp4") as temporary:
        left = temporary
        if what == "another host":
            place = temporary.name.removeprefix(".videoquant-")[:8]
            other = "0" * 8 if place != "0" * 8 else "1" * 8
            left = tmp_path / abandoned(tmp_path, "b").name.replace(place, other)
        elif what == "an older release":
            left = tmp_path / ".videoquant-0123456789ab.mp4"
        elif what == "no file of ours":
            left = tmp_path / ".videoquant-notes"
        left.touch()
        check_writable(tmp_path / "b")
        assert left.exists()


def test_too_little_room_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path).free
    check_writable(tmp_path / "a", free // 2)
    with pytest.raises(OutputError, match=r"a: needs at least [\d.]+ MB, and [\d.]+ MB are free there$"):
        check_writable(tmp_path / "a", 2 * free + 10**6)
    assert names(tmp_path) == []


@pytest.mark.parametrize("check", [check_writable, check_folder, output_folder])
def test_a_name_that_is_too_long_is_one_line(tmp_path: Path, check) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OutputError, match=r"cannot be written: file name too long$"):
        check(tmp_path / ("a" * 300) / "b" if check is not check_writable else tmp_path / ("a" * 300))


def test_only_a_file_that_is_there_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_file(tmp_path / "file", DataError)
    os.mkfifo(tmp_path / "pipe")
    for name, words in {
        "absent": "absent: no such file",
        "pipe": "pipe: is a device or pipe; a regular file is needed here",
        ".": "is a folder; a file is needed here",
        "file/x": "file/x: cannot be read: not a directory",
        "a" * 300: "cannot be read: file name too long",
        "null\0byte": "cannot be read: embedded null byte",
    }.items():
        with pytest.raises(DataError, match=words):
            check_file(tmp_path / name, DataError)
