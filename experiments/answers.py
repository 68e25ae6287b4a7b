"""Whether what `videoquant compare` recommends holds on frames that were not scored.

    python -m experiments.answers CLIP NETWORK [CLIP NETWORK ...] [--output FILE] [--frames 120]

Of each pair the schemes run over frames in runs of 12 all over the clip; other frames calibrate. Every other
run is what `compare` would have scored, and gives the answer; the runs between are the check: whether the
scheme keeps the wish there, and what it costs beside the cheapest scheme that does. The wish is the default
one where some scheme surely keeps it, else the next of 0.98, 0.95, 0.9, 0.8 (2, 5, 10, 20% of a distance; 35,
30, 25, 20 dB), as somebody would ask who reads that none does. Pairs that are done are kept in FILE.
"""

import argparse
import json
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs, calibration_spans, split
from videoquant.report.answer import Question, answer
from videoquant.report.wish import default_wish
from videoquant.tasks import task_for

SCHEMES = ("w8a8", "w4a8", "w8a4", "w4a4", "w8a8->w4a8 T=3", "w8a8->w8a4 T=3", "w8a8->w4a4 T=3")
SCHEMES += ("w8a4->w4a4 T=3", "w8a8->w4a4 T=3 ds=1%")
LOOSER = {"": (0.98, 0.95, 0.9, 0.8), "%": (2.0, 5.0, 10.0, 20.0), "dB": (35.0, 30.0, 25.0, 20.0)}
RUN = 12


def part(comparison, odd):
    """The comparison of every other run alone."""
    rows = []
    for row in comparison.rows:
        frames = [frame for i, frame in enumerate(row.per_frame) if i // RUN % 2 == odd]
        seen = [frame["agreement"] for frame in frames if frame["agreement"]]
        names = dict.fromkeys(name for agreement in seen for name in agreement)
        means = {name: fmean(a[name] for a in seen if name in a) for name in names}
        sqnr = fmean(frame["sqnr_db"] for frame in frames)
        rows.append(replace(row, per_frame=frames, agreement=means, sqnr_db=sqnr))
    return replace(comparison, rows=rows, frames=len(rows[0].per_frame))


def asked(comparison):
    """The answer, and the wish that it keeps: the default one, or the tightest of the looser ones."""
    first = default_wish(comparison)
    bounds = (first.bound, *(LOOSER[first.measure.unit] if comparison.measures else (15.0, 10.0)))
    for bound in bounds:
        wish = replace(first, bound=bound)
        found = answer(comparison, Question(wish))
        if found.row:
            break
    return wish, found


def judge(path, network_name, frames):
    network, clip = vq.load(network_name), vq.frames(path)
    plan = split(len(clip), frames, [3])
    quantized = []
    for text in SCHEMES:
        scheme = vq.Scheme.parse(text)
        spans = calibration_spans(plan.free, scheme.period, calibration_runs(scheme))
        quantized.append(vq.quantize(network, scheme, clip.runs(spans)))
    whole = vq.compare(network, quantized, clip.runs(plan.scored), clip.name)
    task = task_for(network)
    wish, found = asked(part(whole, 0))
    entry = {"network": network.name, "clip": clip.name, "frames": whole.frames, "wish": str(wish)}
    entry["measure"] = task.measures[0].label if task else "SQNR"
    if found.row is None:
        return entry | {"answer": None, "words": found.sentences}
    check = {row.scheme: row for row in part(whole, 1).rows}
    chosen = check[found.row.scheme]
    keep = [row for row in check.values() if wish.value(row) is not None and wish.kept(wish.value(row))]
    cheapest = min((row.gbops_per_frame for row in keep), default=None)
    return entry | {
        "answer": chosen.scheme,
        "there": wish.value(found.row),
        "interval": wish.interval(found.row),
        "kept_on_others": chosen in keep,
        "on_others": wish.value(chosen),
        "cost_to_cheapest": None if cheapest is None else chosen.gbops_per_frame / cheapest,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="CLIP NETWORK")
    parser.add_argument("--output", type=Path, default=Path("answers.json"))
    parser.add_argument("--frames", type=int, default=120)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    for clip, network in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        key = f"{Path(network).stem} on {Path(clip).name}"
        if key not in done:
            done[key] = judge(clip, network, options.frames)
            options.output.write_text(json.dumps(done, indent=1) + "\n")
        print(key, json.dumps(done[key]), flush=True)


if __name__ == "__main__":
    main()
