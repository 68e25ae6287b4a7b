"""The counters of a machine that has them, as files."""

from videoquant.costs.rapl import open_meter


def package(folder, number, name, energy):
    zone = folder / f"intel-rapl:{number}"
    zone.mkdir()
    (zone / "name").write_text(f"{name}\n")
    (zone / "energy_uj").write_text(f"{energy}\n")
    (zone / "max_energy_range_uj").write_text("1000000\n")
    return zone / "energy_uj"


def test_joules_of_all_packages_since_the_last_reading(tmp_path):
    first, second = package(tmp_path, 0, "package-0", 500), package(tmp_path, 1, "package-1", 0)
    core = package(tmp_path, "0:0", "core", 0)  # a part of the first package
    meter = open_meter(tmp_path)
    assert meter is not None
    first.write_text("250500")
    second.write_text("100000")
    core.write_text("99")
    assert meter.joules() == 0.35
    assert meter.joules() == 0


def test_counters_wrap(tmp_path):
    file = package(tmp_path, 0, "package-0", 900_000)
    meter = open_meter(tmp_path)
    file.write_text("100000")
    assert meter is not None and meter.joules() == 0.2


def test_no_meter_where_nothing_is_exposed(tmp_path):
    assert open_meter(tmp_path) is None
    assert open_meter(tmp_path / "missing") is None
    package(tmp_path, 0, "core", 0)
    assert open_meter(tmp_path) is None


def test_no_meter_where_the_counter_cannot_be_read(tmp_path):
    package(tmp_path, 0, "package-0", 0).unlink()
    assert open_meter(tmp_path) is None
