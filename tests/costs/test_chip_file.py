"""TOML files of chips: those that ship open, what is written reads back, what is wrong is named."""

from dataclasses import replace

import pytest

from tests.costs.chips import ROUND
from videoquant.costs.chip_file import chip_names, open_chip, parse_chip, write_chip
from videoquant.errors import ChipError

TEXT = """
name = "mine"
source = "measured"
array = [4, 16]
buffer_kb = 512
bandwidth_gb_s = 30.5
overhead_us = 1.5

[gmacs_per_second]
w8a8 = 100
w32a32 = 25
"""


def test_units():
    chip = parse_chip(TEXT, "mine.toml")
    assert chip.peak == {(8, 8): 1e11, (32, 32): 2.5e10}
    assert (chip.array, chip.buffer, chip.bandwidth) == ((4, 16), 512e3, 30.5e9)
    assert chip.overhead == pytest.approx(1.5e-6) and chip.energy is None and chip.sparse_cost == 1


@pytest.mark.parametrize("name", chip_names())
def test_shipped_chips_open_and_say_where_their_numbers_are_from(name):
    chip = open_chip(name)
    assert chip.source and (8, 8) in chip.peak


@pytest.mark.parametrize("chip", [ROUND, replace(ROUND, energy=None, name='a "b" \\', sparse_cost=1.0)])
def test_what_is_written_reads_back(chip, tmp_path):
    path = tmp_path / "chip.toml"
    write_chip(chip, path, "two\nlines")
    assert path.read_text().startswith("# two\n# lines\n")
    read = open_chip(str(path))
    assert (read.name, read.source, read.array) == (chip.name, chip.source, chip.array)
    for field in ("buffer", "bandwidth", "overhead", "sparse_cost"):
        assert getattr(read, field) == pytest.approx(getattr(chip, field))
    assert read.peak == pytest.approx(chip.peak)
    assert (read.energy is None) == (chip.energy is None)
    if read.energy and chip.energy:
        assert read.energy.mac == pytest.approx(chip.energy.mac)
        assert read.energy.byte == pytest.approx(chip.energy.byte)
        assert read.energy.buffer_byte == pytest.approx(chip.energy.buffer_byte)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("buffer_kb = 512\n", "", "mine.toml: buffer_kb is missing"),
        ("buffer_kb = 512", "buffer_kb = -1", "mine.toml: buffer_kb is -1; it must be above 0"),
        ("buffer_kb = 512", 'buffer_kb = "big"', "buffer_kb is 'big'; it must be a number"),
        ("buffer_kb = 512", "buffer_kb = true", "buffer_kb is True; it must be a number"),
        ("[4, 16]", "[4]", r"array is \[4\]; it must be"),
        ("[4, 16]", "[4, 1.5]", "array is"),
        ("w8a8 = 100", "w8 = 100", "has 'w8'; precisions are written w8a8"),
        ("w8a8 = 100", "w8a64 = 100", "has 'w8a64'"),
        ("buffer_kb = 512", f"buffer_kb = 1{'0' * 400}", "buffer_kb is a huge number; it must be a number"),
        ("buffer_kb = 512", f"buffer_kb = 1{'0' * 5000}", "mine.toml: not TOML .Exceeds the limit"),
        ("buffer_kb = 512", f"buffer_kb = {'[' * 3000}", "mine.toml: not TOML"),
        ("buffer_kb = 512", "buffer_kb = 1e-320", "buffer_kb is 1e-320; it must be 0, or at least"),
        ("buffer_kb = 512", "buffer_kb = 512\nbuffer_kb = 512", "mine.toml: not TOML"),
        ("array = [4, 16]", f"array = [4, 1{'0' * 400}]", "it must be .input channels, output channels"),
        ("w8a8 = 100", f"w{'8' * 5000}a8 = 100", "precisions are written w8a8"),
        ("w8a8 = 100", '"w٨a8" = 100', "precisions are written w8a8"),
        ("w8a8 = 100", "w8a8 = nan", "w8a8 is nan; it must be a number"),
        ("[gmacs_per_second]\nw8a8 = 100\nw32a32 = 25\n", "gmacs_per_second = 3", "must be a table"),
        ("overhead_us", "overhead", "overhead_us is missing"),
        ("w32a32 = 25", "w32a32 = 25\n[cooling]\nfans = 2", "unknown key cooling; known are"),
        ("w32a32 = 25", "w32a32 = 25\n[energy]\npj_per_byte = 2", "energy: pj_per_buffer_byte is missing"),
        ('name = "mine"', "name = 3", "name must be a text"),
        ("array =", "array", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(old, new, message):
    assert old in TEXT
    with pytest.raises(ChipError, match=message):
        parse_chip(TEXT.replace(old, new), "mine.toml")


def test_unknown_names_suggest_others(tmp_path):
    with pytest.raises(ChipError, match="did you mean nvidia-t4"):
        open_chip("nvidia-t5")
    with pytest.raises(ChipError, match="chips by name are"):
        open_chip("zzz")
    with pytest.raises(ChipError, match="is a folder"):
        open_chip(str(tmp_path))
