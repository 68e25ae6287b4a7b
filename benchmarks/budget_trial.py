"""Is a budget kept on frames that did not find the rule? On pairs of a plan and a clip.

    python benchmarks/budget_trial.py RESULTS.json PLAN:CLIP...

Of each clip three stretches of 24 frames in a row, fewer of a short clip, are held back; a rule of regions is
found on runs from all of the rest, for every budget, as `videoquant run --budget` finds it. It plays the
stretches, each from its first frame on, and what it loses there in all against mode frame is compared with
the budget. A pair that RESULTS.json holds already is not run again. Printed: some lines for each pair, and at
the end how often each budget was kept.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

import videoquant as vq
from videoquant.axes import Regions
from videoquant.calibration.sampling import calibration_spans, runs_and_rest
from videoquant.engine.region_budget import Loss, run_length, runs_for, try_rules
from videoquant.errors import DataError
from videoquant.files import atomic_write
from videoquant.scheme_text import write_rule

BUDGETS = (0.01, 0.02, 0.05)
HELD_BACK, STRETCH = 72, 24  # frames


def trial(plan_file: str, clip_file: str) -> dict[str, Any]:
    """What the rules found for each budget lose on frames that found nothing."""
    plan, clip = vq.load_plan(plan_file), vq.frames(clip_file)
    held, free = runs_and_rest(len(clip), min(HELD_BACK, len(clip) * 3 // 5), STRETCH)
    runs = calibration_spans(free, run_length(plan), runs_for(plan.task))
    start = time.perf_counter()
    tried = try_rules(plan, clip.runs(runs), max(BUDGETS), plan.task)
    row: dict[str, Any] = {"seconds": round(time.perf_counter() - start, 1), "budgets": {}}
    frames = list(clip.runs(held))
    for budget in BUDGETS:
        try:
            found = tried.choose(budget)
        except DataError as error:
            row["budgets"][budget] = {"rule": None, "why": str(error)}
            continue
        loss, work = played(plan, frames, found.regions)
        row["budgets"][budget] = {
            "rule": write_rule(found.regions),
            "runs": found.runs,
            "likely_loss": None if math.isnan(found.loss) else round(found.loss, 5),
            "loss": None if loss is None else round(loss, 5),
            "work": round(work, 3),
        }
    return row


def played(plan: vq.IntegerNetwork, frames: list[Any], regions: Regions) -> tuple[float | None, float]:
    """The loss of a rule on frames, of which each seek begins anew; and the share of work that it did."""
    whole, stream, lost = plan.stream("frame"), plan.stream(regions=regions), Loss(plan.task)
    work = []
    for frame in frames:
        lost.update(whole.run(frame), stream.run(frame))
        work.append(stream.work_share)
    return lost.result(), fmean(work)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="PLAN:CLIP")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = json.loads(options.results.read_text()) if options.results.exists() else {}
    for pair in options.pairs:
        plan, _, clip = pair.partition(":")
        name = f"{Path(plan).stem}, {Path(clip).name}"
        if name not in rows:
            rows[name] = json.loads(json.dumps(trial(plan, clip)))
            with atomic_write(options.results) as file:
                file.write_text(json.dumps(rows, indent=1))
        print(name, f"{rows[name]['seconds']} s", flush=True)
        for budget, found in rows[name]["budgets"].items():
            print(
                f"    {budget}:",
                found["rule"] or found["why"],
                found.get("loss"),
                found.get("work"),
                flush=True,
            )
    for budget in map(str, BUDGETS):
        found = [row["budgets"][budget] for row in rows.values()]
        ruled = [one for one in found if one["rule"]]
        kept = sum((one["loss"] or 0) <= float(budget) for one in ruled)
        work = fmean([one["work"] for one in ruled]) if ruled else math.nan
        none = len(found) - len(ruled)
        print(f"{budget}: kept by {kept} of {len(ruled)} rules, none found in {none}; work {work:.2f}")


if __name__ == "__main__":
    main()
