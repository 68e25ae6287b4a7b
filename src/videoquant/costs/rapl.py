"""Measured energy of the CPU, where the machine exposes it: Linux's powercap interface to RAPL counters.

The counters are those of whole packages, other processes included, and tick about every millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass
class _Zone:
    """A package's counter, in microjoules; it starts again from 0 after `wrap`."""

    file: Path
    wrap: int
    last: int = 0

    def advance(self) -> int:
        now = int(self.file.read_text())
        used = now - self.last
        self.last = now
        return used if used >= 0 else used + self.wrap


class Meter:
    """Joules from one reading to the next."""

    def __init__(self, zones: list[_Zone]) -> None:
        self._zones = zones
        self.joules()

    def joules(self) -> float:
        """What all packages have used since the last call."""
        return sum(zone.advance() for zone in self._zones) / 1e6


def open_meter(folder: Path = POWERCAP) -> Meter | None:
    """A meter of all packages; None where the machine exposes none, or not to this user."""
    try:
        packages = [
            zone for zone in sorted(folder.glob("*:*")) if (zone / "name").read_text().startswith("package")
        ]
        zones = [
            _Zone(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text())) for zone in packages
        ]
        return Meter(zones) if zones else None
    except (OSError, ValueError):
        return None
