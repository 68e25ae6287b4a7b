"""Clips: what is read of a video file, whole or damaged.

Long because the written files serve many tests.
"""

import os
import struct
import sys
import weakref
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoquant.data import ClipWarning, Frame, frames
from videoquant.errors import DataError

COUNT, SIZE = 60, (96, 128)
BITS = 8


def numbered(index: int) -> np.ndarray:
    """Noise, so that a packet has a kilobyte, over a row of blocks that spell the frame's number."""
    pixels = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    for bit in range(BITS):
        pixels[:16, 16 * bit : 16 * bit + 16] = 255 * (index >> bit & 1)
    return pixels


def number(pixels: np.ndarray) -> int:
    return sum((pixels[4:12, 16 * bit + 4 : 16 * bit + 12].mean() > 127) << bit for bit in range(BITS))


def make_clip(path: Path, count: int = COUNT, codec: str = "libx264", faststart: bool = False) -> Path:
    movflags = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=movflags) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt, stream.gop_size, stream.bit_rate = "yuv420p", 12, 400_000
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def keyframes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [i for i, packet in enumerate(container.demux(video=0)) if packet.is_keyframe and packet.size]


def with_noise(source: Path, target: Path, *damaged: int) -> Path:
    """A copy in which the bytes of some packets are noise."""
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(source.read_bytes())
    for position, size in (packets[packet] for packet in damaged):
        data[position : position + size] = np.random.default_rng(0).bytes(size)
    target.write_bytes(data)
    return target


def cut(source: Path, target: Path, share: float) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def read_damaged(path: Path) -> tuple[list[Frame], str]:
    with pytest.warns(ClipWarning) as caught:
        read = list(frames(path))
    (warning,) = caught
    return read, str(warning.message)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 with frames that wait in the decoder for their turn, its index at the front."""
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", faststart=True)


# Videos


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("mkv", "libx264"), ("ts", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx")],
)
def test_frames_come_in_order(tmp_path: Path, suffix: str, codec: str) -> None:
    clip = frames(make_clip(tmp_path / f"some.clip.{suffix}", 30, codec))
    assert (clip.name, clip.size, clip.rate, clip.is_live) == (f"some.clip.{suffix}", SIZE, 25.0, False)
    read = list(clip)
    assert [frame.index for frame in read] == [number(frame.pixels) for frame in read] == list(range(30))
    assert all(frame.pixels.shape == (*SIZE, 3) and frame.pixels.dtype == np.uint8 for frame in read)
    assert len(clip) == 30


def test_every_iteration_starts_again(clip: Path) -> None:
    source = frames(clip)
    first, second = iter(source), iter(source)
    assert [next(first).index, next(first).index, next(second).index, next(first).index] == [0, 1, 0, 2]


def test_a_frame_is_an_array(clip: Path) -> None:
    frame = next(iter(frames(clip)))
    assert np.asarray(frame) is frame.pixels
    assert np.array(frame) is not frame.pixels
    assert np.asarray(frame, dtype=np.float32).dtype == np.float32


def test_no_frame_is_kept(clip: Path) -> None:
    seen = []
    for frame in frames(clip):
        seen.append(weakref.ref(frame.pixels))
        assert (
            sum(pixels() is not None for pixels in seen) <= 2
        )  # this one, and the last until it is replaced
    assert len(seen) == COUNT


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_files_are_closed_when_an_iteration_is_abandoned(clip: Path) -> None:
    def opened() -> int:
        return sum(os.path.realpath(f"/proc/self/fd/{fd}") == str(clip) for fd in os.listdir("/proc/self/fd"))

    source = frames(str(clip))
    assert opened() == 0
    iteration = iter(source)
    next(iteration)
    assert opened() == 1
    iteration.close()  # type: ignore[attr-defined]
    assert opened() == 0
    list(source.runs([range(3)]))
    assert opened() == 0


@pytest.fixture(scope="module")
def decoded(clip: Path) -> list[Frame]:
    return list(frames(clip))


@st.composite
def spans_of_frames(draw: st.DrawFn) -> list[range]:
    bounds = sorted(draw(st.lists(st.integers(0, COUNT + 10), max_size=8)))
    return [range(start, stop) for start, stop in zip(bounds[::2], bounds[1::2], strict=False)]


@settings(max_examples=25, deadline=None)
@given(spans=spans_of_frames())
def test_runs_are_the_same_frames(clip: Path, decoded: list[Frame], spans: list[range]) -> None:
    expected = [frame for frame in decoded if any(frame.index in span for span in spans)]
    read = list(frames(clip).runs(spans))
    assert [frame.index for frame in read] == [frame.index for frame in expected]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(read, expected, strict=True))


@pytest.mark.parametrize(
    "spans", [[range(5, 9), range(2, 4)], [range(5), range(4, 9)], [range(0, 9, 2)], [range(-1, 3)]]
)
def test_other_spans_are_refused(clip: Path, spans: list[range]) -> None:
    with pytest.raises(DataError, match=r"clip\.mp4: spans of frames must ascend and be disjoint"):
        frames(clip).runs(spans)


def test_a_name_with_a_colon_is_no_address(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "http:clip.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert frames("http:clip.mp4").name == "http:clip.mp4"


def test_rotation_is_honoured(tmp_path: Path, clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    assert struct.unpack_from(">9i", data, matrix) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    # A quarter clockwise, as phones write for upright videos.
    struct.pack_into(">9i", data, matrix, 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = frames(tmp_path / "turned.mp4")
    assert turned.size == SIZE[::-1]
    upright = next(iter(frames(clip)))
    assert np.array_equal(next(iter(turned)).pixels, np.rot90(upright.pixels, -1))


def test_frames_that_an_edit_list_hides_are_not_missed(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "trimmed.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                early = 5 * packet.duration  # a stream that begins before time 0 is trimmed there
                packet.pts, packet.dts, packet.stream = packet.pts - early, packet.dts - early, stream
                target.mux(packet)
    trimmed = frames(path)
    assert [number(frame.pixels) for frame in trimmed] == list(range(5, COUNT))
    assert len(trimmed) == COUNT - 5


# Damage


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4")])
def test_a_clip_that_was_cut_short(tmp_path: Path, suffix: str, codec: str) -> None:
    whole = make_clip(tmp_path / f"whole.{suffix}", codec=codec, faststart=suffix == "mp4")
    path = cut(whole, tmp_path / f"short.{suffix}", 0.6)
    read, message = read_damaged(path)
    assert 10 <= len(read) < 50
    assert (
        message
        == f"short.{suffix}: damaged after frame {len(read) - 1}; {len(read)} of 60 frames could be read"
    )
    for frame, sound in zip(read, frames(whole), strict=False):
        assert np.array_equal(frame.pixels, sound.pixels)
    clip = frames(path)
    assert len(clip) >= len(read)
    with pytest.warns(ClipWarning, match=r"cut short; \d\d of 60 frames are there"):
        clip.check()


@pytest.mark.parametrize("packet", [14, COUNT // 2, COUNT - 3, COUNT - 1])
def test_a_clip_with_noise_inside(tmp_path: Path, clip: Path, decoded: list[Frame], packet: int) -> None:
    path = with_noise(clip, tmp_path / "noisy.mp4", packet)
    read, message = read_damaged(path)
    indexes = [frame.index for frame in read]
    keyframe = next((key for key in keyframes(clip) if key > packet), COUNT)
    (last,) = (a for a, b in pairwise([*indexes, COUNT]) if b - a > 1 or (b == COUNT and a < COUNT - 1))
    assert packet - 4 <= last + 1 <= packet + 1
    assert indexes == [*range(last + 1), *range(keyframe, COUNT)]  # goes on at the next keyframe
    passed = ", the others are passed over" if keyframe < COUNT else ""
    assert message == f"noisy.mp4: damaged after frame {last}; {len(read)} of 60 frames could be read{passed}"
    assert all(np.array_equal(frame.pixels, decoded[frame.index].pixels) for frame in read)
    assert len(frames(path)) == COUNT  # counted, not decoded
    assert len(read_damaged(path)[0]) == len(read)  # the same every time


def test_damage_after_the_last_wanted_frame_is_nobodys_business(tmp_path: Path, clip: Path) -> None:
    path = with_noise(clip, tmp_path / "noisy.mp4", COUNT // 2)
    assert [frame.index for frame in frames(path).runs([range(2, 4)])] == [2, 3]  # a warning would raise
    with pytest.warns(ClipWarning, match=r"damaged after frame \d+; frames are passed over"):
        read = [frame.index for frame in frames(path).runs([range(2, 4), range(31, 38), range(50, 55)])]
    assert 31 < keyframes(clip)[3] < 38
    assert read == [2, 3, *range(keyframes(clip)[3], 38), *range(50, 55)]


def test_a_clip_of_which_no_frame_decodes(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 12)
    path = with_noise(whole, tmp_path / "noisy.mp4", *range(12))
    with pytest.raises(DataError, match=r"noisy\.mp4: not one frame can be decoded"):
        frames(path)


def test_a_clip_whose_first_group_is_damaged_begins_at_the_next(
    tmp_path: Path, clip: Path, decoded: list[Frame]
) -> None:
    path = with_noise(clip, tmp_path / "noisy.mp4", 0)
    with pytest.warns(ClipWarning, match=r"begins inside a group of pictures; \d+ frames are passed over"):
        read = list(frames(path))
    rest = decoded[keyframes(clip)[1] :]
    assert [frame.index for frame in read] == list(range(len(rest)))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(read, rest, strict=True))


def test_a_clip_without_frames(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.mkv"):
        frames(make_clip(tmp_path / "none.mkv", 0))


def test_a_clip_cut_before_its_index(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4")
    with pytest.raises(
        DataError, match=r"short\.mp4: is neither a video nor an image, or cut short or damaged$"
    ):
        frames(cut(whole, tmp_path / "short.mp4", 0.6))


def test_an_unknown_codec(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "odd.mp4").write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(DataError, match=r"odd\.mp4: its video codec is unknown"):
        frames(tmp_path / "odd.mp4")


# What is no source


def song(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux([*stream.encode(sound), *stream.encode(None)])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("absent.mp4", lambda path: None, "no such file or folder"),
        ("empty.mp4", Path.touch, "is empty"),
        (
            "noise.mp4",
            lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
            "is neither a video nor",
        ),
        ("notes.txt", lambda path: path.write_text("neither\n"), "is neither a video nor an image"),
        ("sound.wav", song, "has no video stream"),
        ("image.png", lambda path: path.write_text("no image"), "is damaged or no image"),
        ("folder", Path.mkdir, "holds no images; read are png, jpg, jpeg, bmp, ppm, webp, tif, tiff"),
        ("pipe", os.mkfifo, "is a device or pipe"),
    ],
)
def test_what_cannot_be_opened(
    tmp_path: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError, match=message) as caught:
        frames(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_a_path_below_a_file(clip: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: not a directory"):
        frames(clip / "below")


# Cameras


@pytest.mark.parametrize("source", [99, "99"])
def test_a_camera_that_is_not_there(source: int | str) -> None:
    with pytest.raises(DataError, match=r"camera 99: /dev/video99 cannot be opened: "):
        frames(source)


def test_a_camera_delivers_until_it_is_unplugged(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_open = av.open

    def open_clip_instead(device: str, format: str) -> av.container.InputContainer:
        assert (device, format) == ("/dev/video0", "v4l2")
        return plain_open(str(clip))

    monkeypatch.setattr(av, "open", open_clip_instead)
    camera = frames("0")
    assert (camera.name, camera.size, camera.rate, camera.is_live) == ("camera 0", SIZE, 25.0, True)
    with pytest.raises(DataError, match="camera 0: has no number of frames"):
        len(camera)
    read = []
    with pytest.raises(DataError, match="camera 0: delivers no more frames"):
        for frame in camera:
            read.append(frame.index)
    assert read == list(range(COUNT))


# Real clips


def test_real_clips_are_read_whole(shared_data: Path) -> None:
    clip = frames(shared_data / "clips" / "car-detection.mp4")
    assert (clip.size, clip.rate, len(clip)) == ((432, 768), 12.5, 377)
    assert sum(1 for _ in clip.runs([range(377)])) == 377
