"""Calibrations of before: found by what they depend on, checked, limited, and never in the way."""

import os
import warnings
from dataclasses import replace

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant import calibration_cache, kept_files
from videoquant.calibration_cache import cached_calibration, calibration_key
from videoquant.errors import CalibrationWarning
from videoquant.network.graph import Network

SCHEMES = ("w8a8", "w4a8", "w8a8->w4a4 T=3", "w8a4 qpp", "w8a8->w4a4 T=3 qpp ds=1%", "w4a4 asymmetric")
SCHEMES += ("w8a8 equalize", "w8a8->w4a4 T=3 equalize", "w8a8 by-outputs")


def clips(scheme, count=12):
    frames, period = moving_frames(count), scheme.period
    return [frames[i : i + period] for i in range(0, count, period)]


def same(a, b):
    streams = a.stream(), b.stream()
    for x in moving_frames(6, seed=1):
        found, expected = (stream.run(x) for stream in streams)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("text", SCHEMES)
def test_it_gives_what_calibration_gives(text, tmp_path, monkeypatch):
    network, scheme = small_network(), vq.Scheme.parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = cached_calibration(tmp_path, network, scheme, clips(scheme))
        (entry,) = tmp_path.iterdir()

        def never(*_):
            raise AssertionError("it calibrates a second time")

        monkeypatch.setattr(calibration_cache, "learn", never)
        calls = []
        again = cached_calibration(tmp_path, network, scheme, clips(scheme), lambda: calls.append(0))
    assert again.grids == first.grids and again.scheme == first.scheme
    assert len(calls) == vq.calibration.calibrate.walks(scheme) * len(network.nodes)
    same(again, first)
    for name, tensor in first.network.tensors.items():  # weights in floating point, and corrected biases
        found = again.network.tensors[name]
        if first.scheme.equalize and (layer := name.removesuffix(".weight")) in first.weights:
            tensor = first.weights[layer].key.values  # other weights than the network's, known by their codes
        assert torch.equal(found, tensor)
    assert list(tmp_path.iterdir()) == [entry]


def test_the_key_is_of_all_that_decides():
    network, scheme = small_network(), vq.Scheme.parse("w8a8")
    given = clips(scheme)
    other_weight = {
        name: tensor + (name == network.layers[0].name + ".weight")
        for name, tensor in network.tensors.items()
    }
    moved = [[frame.clone() for frame in clip] for clip in given]
    moved[3][0][0, 0, 0, 0] += 1
    brighter = Network(
        network.nodes,
        network.input,
        network.input_shape,
        network.outputs,
        network.tensors,
        replace(network.preprocessing, scale=0.5),
    )
    keys = [
        calibration_key(network, scheme, given),
        calibration_key(network.with_tensors(other_weight), scheme, given),
        calibration_key(brighter, scheme, given),
        calibration_key(network, vq.Scheme.parse("w8a8 minmax"), given),
        calibration_key(network, scheme, moved),
        calibration_key(network, scheme, given[1:]),
        calibration_key(network, scheme, [given[0] + given[1], *given[2:]]),
        calibration_key(network, scheme, given[::-1]),
    ]
    assert len(set(keys)) == len(keys)
    assert calibration_key(small_network(), scheme, clips(scheme)) == keys[0]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-9] + b"\xff" + b[-8:], lambda b: b""])
def test_a_damaged_entry_is_made_anew(damage, tmp_path, monkeypatch):
    network, scheme = small_network(), vq.Scheme.parse("w8a8")
    first = cached_calibration(tmp_path, network, scheme, clips(scheme))
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert cached_calibration(tmp_path, network, scheme, clips(scheme)).grids == first.grids
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(calibration_cache, "learn", None)  # it is whole again
    assert cached_calibration(tmp_path, network, scheme, clips(scheme)).grids == first.grids


def test_what_is_warned_of_is_warned_of_again(tmp_path):
    network, frame = small_network(), moving_frames(1)
    for _ in range(2):
        with pytest.warns(CalibrationWarning, match="all frames are one picture"):
            vq.quantize(network, "w8a8", frame * 4, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    network, frames = small_network(), moving_frames(4)
    entries = []
    for age, text in ((3, "w8a8"), (2, "w7a8"), (1, "w6a8")):
        vq.quantize(network, text, frames, cache=tmp_path)
        (entry,) = set(tmp_path.iterdir()) - set(entries)
        then = entry.stat().st_mtime - 100 * age
        os.utime(entry, (then, then))
        entries.append(entry)
    vq.quantize(network, "w8a8", frames, cache=tmp_path)  # used: it is no longer the oldest
    monkeypatch.setattr(kept_files, "LIMIT", 3.5 * entries[0].stat().st_size)
    vq.quantize(network, "w5a8", frames, cache=tmp_path)
    left = set(tmp_path.iterdir())
    assert entries[0] in left and entries[1] not in left and entries[2] in left and len(left) == 3


def test_a_folder_that_takes_no_files_is_said_and_nothing_more(tmp_path):
    network, frames = small_network(), moving_frames(4)
    (tmp_path / "file").write_text("")
    with pytest.warns(CalibrationWarning, match=r"^the calibration is not kept: .*file: is a file"):
        quantized = vq.quantize(network, "w8a8", frames, cache=tmp_path / "file")
    same(quantized, vq.quantize(network, "w8a8", frames))


def test_what_learns_nothing_is_not_kept(tmp_path):
    for text in ("fp32", "w8a8 dynamic"):
        vq.quantize(small_network(), text, moving_frames(4), cache=tmp_path)
    assert not list(tmp_path.iterdir())
