"""Films as people have them: codecs, times, thumbnails, null frames, strange rates, and where they begin."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from videoquant.data import ClipWarning, VideoWriter, frames
from videoquant.errors import DataError

HEIGHT, WIDTH = 96, 128
TEXTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def moving(index: int) -> np.ndarray:
    return TEXTURE[index : index + HEIGHT, 2 * index : 2 * index + WIDTH].copy()


def film(
    path: Path,
    codec: str = "mpeg4",
    times: list[int] | range = range(24),
    kind: str = "yuv420p",
    rate: int | Fraction = 25,
    aspect: Fraction | None = None,
    **options: str,
) -> Path:
    """Frames of a moving texture, shown at `times` in ticks of 1/rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"g": "12", **options})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, kind
        stream.time_base = stream.codec_context.time_base = 1 / Fraction(rate)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(moving(index), format="rgb24").reformat(format=kind)
            frame.pts, frame.time_base = time, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[np.ndarray]:
    """What PyAV decodes, without any care."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


VP = {"deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"}
KINDS = [
    ("mp4", "libx264", "yuv420p", {"bf": "3"}),
    ("avi", "libx264", "yuv420p", {"bf": "3"}),
    ("wmv", "libx264", "yuv420p", {"bf": "3"}),
    ("h264", "libx264", "yuv420p", {"bf": "3"}),
    ("mkv", "libx264", "yuv420p10le", {}),
    ("mp4", "libx264", "yuv444p", {}),
    ("mkv", "libx264", "gray", {}),
    ("mp4", "libx264", "yuv420p", {"flags": "+ildct+ilme", "x264-params": "tff=1"}),
    ("ts", "libx264", "yuv420p", {"x264-params": "open-gop=1:bframes=3"}),
    ("mp4", "libx265", "yuv420p", {"x265-params": "log-level=none:keyint=12"}),
    ("webm", "libvpx", "yuv420p", VP),
    ("webm", "libvpx-vp9", "yuv420p", VP),
    ("mpg", "mpeg2video", "yuv420p", {"bf": "2"}),
    ("avi", "mpeg4", "yuv420p", {"bf": "2"}),
    ("flv", "flv", "yuv420p", {}),
    ("wmv", "wmv2", "yuv420p", {}),
    ("mov", "prores_ks", "yuv422p10le", {}),
    ("mov", "mjpeg", "yuvj420p", {}),
    ("mkv", "ffv1", "bgr0", {}),
    ("avi", "huffyuv", "yuv422p", {}),
    ("avi", "ffvhuff", "yuva444p", {}),
    ("avi", "rawvideo", "yuv420p", {}),
    ("y4m", "wrapped_avframe", "yuv420p", {}),
    ("gif", "gif", "rgb8", {}),
    ("apng", "apng", "rgba", {}),
]


@pytest.mark.parametrize(("suffix", "codec", "kind", "options"), KINDS)
def test_what_pyav_decodes_is_what_is_read(
    tmp_path: Path, suffix: str, codec: str, kind: str, options: dict[str, str]
) -> None:
    path = film(tmp_path / f"film.{suffix}", codec, kind=kind, **options)
    expected = decoded(path)
    clip = frames(path)
    clip.check()  # a warning would be an error
    read = list(clip)
    assert len(clip) == len(read) == len(expected) == 24
    assert clip.rate == pytest.approx(25)
    assert [frame.index for frame in read] == list(range(24))
    times = [frame.time for frame in read]
    assert times == pytest.approx([index / 25 for index in range(24)], abs=0.09)
    for frame, pixels in zip(read, expected, strict=True):
        assert np.abs(frame.pixels.astype(int) - pixels).max() <= 1


def without(source: Path, target: Path, first: int) -> Path:
    """A copy that begins at another packet."""
    with av.open(str(source)) as container, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            if packet.size and number >= first:
                packet.stream = stream
                copy.mux(packet)
    return target


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("webm", "libvpx"), ("webm", "libvpx-vp9"), ("ts", "libx264"), ("avi", "mpeg4"), ("mkv", "mpeg2video")],
)
def test_a_film_that_begins_inside_a_group_of_pictures(tmp_path: Path, suffix: str, codec: str) -> None:
    options = {"deadline": "realtime", "cpu-used": "5"} if codec.startswith("libvpx") else {}
    whole = film(tmp_path / f"whole.{suffix}", codec, bf="0", sc_threshold="0", **options)
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keyframe = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
    path = without(whole, tmp_path / f"late.{suffix}", 5)
    begins = f"begins inside a group of pictures; {keyframe - 5} frames are passed over"
    with pytest.warns(ClipWarning, match=begins):
        clip = frames(path)
    read, expected = list(clip), decoded(whole)[keyframe:]
    assert len(clip) == len(read) == len(expected)
    assert [frame.index for frame in read] == list(range(len(expected)))
    assert all(np.array_equal(a.pixels, b) for a, b in zip(read, expected, strict=True))


def test_a_film_without_a_keyframe_is_what_its_decoder_makes_of_it(tmp_path: Path) -> None:
    path = without(film(tmp_path / "whole.avi"), tmp_path / "late.avi", 14)
    with pytest.warns(ClipWarning, match="has no sound keyframe"):
        clip = frames(path)
    assert len(list(clip)) == len(clip) >= 10


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("is_cover", [False, True])
def test_the_thumbnail_of_a_film_is_not_the_film(tmp_path: Path, suffix: str, is_cover: bool) -> None:
    path = tmp_path / f"film.{suffix}"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 4 * WIDTH, 4 * HEIGHT, "yuvj420p"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if is_cover and suffix == "mp4":
            cover.disposition = av.stream.Disposition.attached_pic
        grey = np.zeros((4 * HEIGHT, 4 * WIDTH, 3), np.uint8)
        container.mux([*cover.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")), *cover.encode(None)])
        for index in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moving(index), format="rgb24")))
        container.mux(stream.encode(None))
    clip = frames(path)
    assert (clip.size, len(clip), len(list(clip))) == ((HEIGHT, WIDTH), 6, 6)


@pytest.mark.parametrize("bf", ["0", "2"])
def test_null_frames_of_an_avi_file_repeat_the_one_before(tmp_path: Path, bf: str) -> None:
    shown = [0, 1, 2, 10, 11, 15]
    path = film(tmp_path / "gap.avi", times=shown, bf=bf)
    clip = frames(path)
    clip.check()
    read = list(clip)
    with av.open(str(path)) as container:
        slots = container.streams.video[0].frames
    assert len(read) == len(clip) == slots
    assert [frame.index for frame in read] == list(range(slots))
    if bf == "0":
        originals = decoded(path)
        for frame in read:
            of = max(number for number, time in enumerate(shown) if time <= frame.index)
            assert np.array_equal(frame.pixels, originals[of])


VARIABLE = {
    "gaps": [0, 1, 2, 50, 51, 100],
    "a still": [*range(6), *range(256, 262)],
    "two rates": [*range(8), *range(8, 24, 2)],
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("pace", VARIABLE)
def test_a_film_keeps_the_time_of_every_frame(tmp_path: Path, suffix: str, pace: str) -> None:
    clip = frames(film(tmp_path / f"film.{suffix}", times=VARIABLE[pace], bf="0"))
    clip.check()
    with VideoWriter(tmp_path / "copy.mp4", clip.rate) as writer:
        for frame in clip:
            writer.write(frame)
    for path in (tmp_path / f"film.{suffix}", tmp_path / "copy.mp4"):
        times = [frame.time for frame in frames(path)]
        assert times == pytest.approx([time / 25 for time in VARIABLE[pace]], abs=0.002)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("rate", [90_000, 1_000_000])
def test_a_rate_that_no_camera_has_is_not_believed(tmp_path: Path, rate: int, count: int) -> None:
    path = film(tmp_path / "film.mov", "mjpeg", range(count), "yuvj420p", rate=rate)
    clip = frames(path)
    assert (clip.rate, len(clip)) == (25, count)
    assert [frame.time for frame in clip] == [None] * count


@pytest.mark.parametrize("rate", [480, 1000])
def test_a_high_speed_camera_is_believed(tmp_path: Path, rate: int) -> None:
    path = film(tmp_path / "film.mp4", "mjpeg", range(9), "yuvj420p", rate=rate)
    assert frames(path).rate == pytest.approx(rate, rel=0.01)


def test_pixels_of_another_shape_are_made_square(tmp_path: Path) -> None:
    clip = frames(film(tmp_path / "film.mp4", "libx264", range(2), aspect=Fraction(4, 3)))
    assert clip.size == (HEIGHT, round(WIDTH * 4 / 3))
    with VideoWriter(tmp_path / "copy.mp4", clip.rate) as writer:
        for frame in clip:
            writer.write(frame)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.width / stream.height == pytest.approx(16 / 9, rel=0.02)
        assert stream.sample_aspect_ratio in (None, 0, 1)


def test_a_film_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "film.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        other = av.CodecContext.create("libvpx", "w")
        other.width, other.height, other.pix_fmt, other.time_base = 64, 48, "yuv420p", Fraction(1, 25)
        packets = []
        for index in range(6):
            encoder, part = (stream, moving(index)) if index < 3 else (other, moving(index)[:48, :64].copy())
            frame = av.VideoFrame.from_ndarray(part, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            packets += encoder.encode(frame)
            if index == 2:
                packets += stream.encode(None)
        for packet in [*packets, *other.encode(None)]:
            packet.stream = stream
            container.mux(packet)
    sizes = [frame.pixels.shape[:2] for frame in frames(path)]
    assert sizes == [(HEIGHT, WIDTH)] * 3 + [(48, 64)] * 3


def test_a_heic_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "libx264", range(1))
    (tmp_path / "photo.heic").write_bytes(path.read_bytes().replace(b"ftypisom", b"ftypheic"))
    with pytest.raises(DataError, match=r"photo\.heic: is a HEIC picture; save it as JPEG or PNG"):
        frames(tmp_path / "photo.heic")
