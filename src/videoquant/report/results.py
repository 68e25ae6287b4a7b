"""The results of a comparison as numbers: a dictionary, a JSON file, a CSV file, and the Pareto front."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videoquant.comparison import Comparison, Row
from videoquant.costs.chip import precision_text
from videoquant.costs.simulator import SchemeCost
from videoquant.errors import OutputError
from videoquant.files import atomic_write, check_file
from videoquant.json_file import plain
from videoquant.made import made_by
from videoquant.report.answer import Answer, answer
from videoquant.report.pareto import pareto

JSON_FILE, CSV_FILE, PAGE_FILE = REPORT_FILES = ("results.json", "results.csv", "report.html")
FORMAT = 2  # raised when a reader of the JSON form would have to change


def to_dict(
    comparison: Comparison, made: Mapping[str, str] | None = None, found: Answer | None = None
) -> dict[str, Any]:
    """The JSON form, without the pictures: only dict, list, str, int, float, bool and None.

    made: of `made_by`, so that several files can have the same; default: now.
    found: what the comparison recommends; by default `answer(comparison)`.
    Bit-widths, which are keys of the shares, become strings. A number that is not finite becomes None.
    """
    fronts, found = pareto(comparison.rows), found or answer(comparison)
    result = {
        "format": FORMAT,
        "made": dict(made or made_by()),
        "network": comparison.network,
        "source": comparison.source,
        "calibration": comparison.calibration,
        "task": comparison.task,
        "primary_output": comparison.primary,
        "frames": comparison.frames,
        "labelled_frames": comparison.labelled,
        "complete": comparison.complete,
        "engine": comparison.engine,
        "chip": comparison.chip and {"name": comparison.chip.name, "source": comparison.chip.source},
        "answer": {"scheme": found.row and found.row.scheme, "sentences": found.sentences},
        "rows": [_row(row) | {"pareto": front} for row, front in zip(comparison.rows, fronts, strict=True)],
    }
    form: dict[str, Any] = plain(result)
    return form


def earlier_report(folder: Path) -> str | None:
    """What the report compares that a folder holds, in words; None where it holds none.

    Raises `OutputError` where a file has the name of one of a report (`REPORT_FILES`) and is none of ours: it
    is not to be written over.
    """
    held = [folder / name for name in REPORT_FILES if os.path.exists(folder / name)]
    if not held:
        return None
    try:
        check_file(folder / JSON_FILE, OutputError)
        data = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
        return f"{data['network']} on {data['source']}, {len(data['rows'])} schemes"
    except (OutputError, OSError, ValueError, TypeError, KeyError):
        raise OutputError(
            f"{held[0]}: is not of a report of videoquant and would be replaced; name another folder"
        ) from None


def write_csv(comparison: Comparison, path: str | Path) -> None:
    """Write one line per scheme as UTF-8 CSV.

    Columns: scheme, gbops_per_frame, sqnr_db, every measure of the task by its name, accuracy_… for those
    against labels, accuracy_by_label_… for the first of these by class or joint, share_0, share_4, … for
    bit-widths of adaptive schemes, density_mean and density_p90 of Dense + Sparse ones, frames_per_second and
    work_share where an engine ran, measured_mj where the machine measures it, chip_ms,
    chip_frames_per_second and chip_mj where a chip was asked for. What does not apply, or is not finite, is
    an empty field.
    Raises `OutputError` where the file cannot be written.
    """
    measures = [measure.name for measure in comparison.measures]
    widths = sorted({width for row in comparison.rows for width in row.shares})
    densities = ["mean", "p90"] if any(row.density for row in comparison.rows) else []
    accuracies = [measure.name for measure in comparison.accuracy]
    labels = list(dict.fromkeys(label for row in comparison.rows for label in row.accuracy_by_label))
    header = ["scheme", "file", "gbops_per_frame", "sqnr_db", *measures]
    header += [
        *(f"accuracy_{name}" for name in accuracies),
        *(f"accuracy_by_label_{label}" for label in labels),
    ]
    header += [*(f"share_{width}" for width in widths)]
    header += [f"density_{name}" for name in densities]
    header += ["frames_per_second", "work_share"] if comparison.engine else []
    metered = any(row.measured_mj is not None for row in comparison.rows)
    header += ["measured_mj"] if metered else []
    header += ["chip_ms", "chip_frames_per_second", "chip_mj"] if comparison.chip else []
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in comparison.rows:
            numbers = [row.gbops_per_frame, row.sqnr_db, *(row.agreement.get(name) for name in measures)]
            numbers += [row.accuracy.get(name) for name in accuracies]
            numbers += [row.accuracy_by_label.get(label) for label in labels]
            numbers += [row.shares.get(width) for width in widths]
            numbers += [row.density.get(name) for name in densities]
            numbers += [row.frames_per_second, row.work_share] if comparison.engine else []
            numbers += [row.measured_mj] if metered else []
            if comparison.chip:
                cost = row.on_chip
                numbers += [cost.ms, cost.frames_per_second, cost.mj] if cost else [None] * 3
            writer.writerow(
                [row.scheme, _no_formula(row.file), *("" if x is None else x for x in plain(numbers))]
            )


def _no_formula(path: str) -> str:
    """The same path as it begins with no sign by which spreadsheets know a formula."""
    return f"./{path}" if path.startswith(("=", "+", "-", "@", "\t", "\r")) else path


def _row(row: Row) -> dict[str, Any]:
    return {
        "scheme": row.scheme,
        "file": row.file,
        **_measures(row),
        "accuracy_by_label": row.accuracy_by_label,
        "per_frame": row.per_frame,
        "layer_sqnr_db": row.layer_sqnr_db,
        "layer_inputs": {layer: held.to_json() for layer, held in row.layer_inputs.items()},
        "layer_density": row.layer_density,
        "shares": row.shares,
        "layer_shares": row.layer_shares,
        "density": row.density,
        "frames_per_second": row.frames_per_second,
        "work_share": row.work_share,
        "measured_mj": row.measured_mj,
        "on_chip": row.on_chip and _on_chip(row.on_chip),
        "ranges": [asdict(ranges) for ranges in row.ranges],
        "clips": {name: _measures(one) for name, one in row.clips.items()},
    }


def _measures(row: Row) -> dict[str, Any]:
    """What stands for all clips, and for each of several."""
    return {
        "gbops_per_frame": row.gbops_per_frame,
        "sqnr_db": row.sqnr_db,
        "agreement": row.agreement,
        "accuracy": row.accuracy,
    }


def _on_chip(cost: SchemeCost) -> dict[str, Any]:
    """fallbacks: "w4a8" → "w8a8", what it was computed as, or None where the chip has nothing above it."""
    fallbacks = {precision_text(p): q and precision_text(q) for p, q in cost.fallbacks.items()}
    fps = cost.frames_per_second
    return {"ms": cost.ms, "frames_per_second": fps, "mj": cost.mj, "fallbacks": fallbacks}
