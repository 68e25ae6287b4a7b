from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoquant.data import Frame, VideoWriter, frames
from videoquant.errors import DataError, OutputError

RED = (200, 30, 60)


def plain(height: int, width: int, colour: tuple[int, ...] = RED) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".MP4"])
def test_what_is_written_can_be_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, rate=12.5) as writer:
        for level in range(0, 200, 20):
            writer.write(plain(48, 64, (level, level, level)))
    clip = frames(path)
    assert (clip.size, clip.rate, len(clip)) == ((48, 64), 12.5, 10)
    assert [round(frame.pixels.mean() / 20) for frame in clip] == list(range(10))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_stream_is_what_players_expect(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", rate=29.97002997) as writer:
        writer.write(plain(48, 64))
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate.numerator, stream.average_rate.denominator) == (30000, 1001)


@pytest.mark.parametrize("size", [(64, 64), (720, 1280)])
def test_colours_survive(tmp_path: Path, size: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "out.mp4", rate=25) as writer:
        writer.write(plain(*size))
    (frame,) = frames(tmp_path / "out.mp4")
    assert np.abs(frame.pixels.astype(int) - RED).max() <= 5


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_odd_sizes_are_padded_to_even(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int
) -> None:
    path = tmp_path_factory.mktemp("odd") / "out.mp4"
    with VideoWriter(path, rate=25) as writer:
        writer.write(plain(height, width))
    clip = frames(path)
    assert clip.size == (height + height % 2, width + width % 2)
    assert np.abs(next(iter(clip)).pixels.astype(int) - RED).max() <= 5  # the padding is no black border


def test_a_frame_can_be_written_as_it_was_read(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", rate=25) as writer:
        writer.write(Frame(plain(16, 16), 0))
    assert frames(tmp_path / "out.mp4").size == (16, 16)


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, rate=25) as writer:
        for _ in range(7):
            writer.write(plain(16, 16))
        raise KeyboardInterrupt
    assert sum(1 for _ in frames(path)) == 7
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("written", [0, 3])
def test_any_other_exception_leaves_the_old_file(tmp_path: Path, written: int) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("old")
    with pytest.raises(RuntimeError), VideoWriter(path, rate=25) as writer:
        for _ in range(written):
            writer.write(plain(16, 16))
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_no_frame_no_file(tmp_path: Path, interrupted: bool) -> None:
    try:
        with VideoWriter(tmp_path / "out.mp4", rate=25):
            if interrupted:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out", "out.avi", "out.mp4.txt"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"must be one of \.mp4, \.mkv, \.mov$"):
        VideoWriter(tmp_path / name, rate=25)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1001])
def test_other_rates_are_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(OutputError, match="the rate must be above 0 and at most 1000"):
        VideoWriter(tmp_path / "out.mp4", rate=rate)


@pytest.mark.parametrize("rate", [1e-9, 0.5, 240, 1000])
def test_the_limits_of_the_rate_can_be_written(tmp_path: Path, rate: float) -> None:
    with VideoWriter(tmp_path / "out.mp4", rate=rate) as writer:
        writer.write(plain(16, 16))
        writer.write(plain(16, 16))
    assert len(frames(tmp_path / "out.mp4")) == 2


def test_the_target_is_checked_on_entry(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    with (
        pytest.raises(OutputError, match=r"out\.mp4: is a folder"),
        VideoWriter(tmp_path / "out.mp4", rate=25),
    ):
        pass
    with pytest.raises(OutputError, match="absent does not exist"):
        VideoWriter(tmp_path / "absent" / "out.mp4", rate=25).__enter__()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((8, 8, 3)),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    refused = pytest.raises(DataError, match=r"a frame (must be uint8|of 0×8×3 has no pixels)")
    with refused, VideoWriter(tmp_path / "out.mp4", rate=25) as writer:
        writer.write(pixels)
    assert list(tmp_path.iterdir()) == []


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    refused = pytest.raises(DataError, match="a frame is 8×10 and the first was 8×8")
    with refused, VideoWriter(tmp_path / "out.mp4", rate=25) as writer:
        writer.write(plain(8, 8))
        writer.write(plain(8, 10))


def test_an_error_of_the_encoder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise av.error.OSError(28, "No space left on device")

    refused = pytest.raises(OutputError, match=r"out\.mp4: cannot be written: no space left on device$")
    with refused, VideoWriter(tmp_path / "out.mp4", rate=25) as writer:
        monkeypatch.setattr(av, "open", fail)
        writer.write(plain(8, 8))
    assert list(tmp_path.iterdir()) == []
