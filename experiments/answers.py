"""Whether what `videoquant compare` recommends holds on frames that were not scored.

    python -m experiments.answers CLIP NETWORK [CLIP NETWORK ...] [--output FILE] [--workers N]

Of each pair the frames that the command would score and calibrate on give its answer, of nine of its schemes
(those that predict ranges or choose widths take long). The check is on as many frames that it has not seen,
neither scored nor calibrating, all over the clip (of a short one, on those that it has not scored): whether
the scheme keeps the wish there, and what it costs beside the cheapest scheme that does. The wish is the
default one where some scheme surely keeps it, else the next of 0.98, 0.95, 0.9, 0.8 (2, 5, 10, 20% of a
distance; 35, 30, 25, 20 dB), as somebody would ask who reads that none does. Pairs that are done are kept in
FILE.
"""

import argparse
import json
import warnings
from pathlib import Path

import videoquant as vq
from experiments import side_by_side
from videoquant.calibration.sampling import SCORED_FRAMES, calibration_spans
from videoquant.cli.compare_inputs import calibrate_all
from videoquant.cli.compare_plan import calibration_sets, plan_frames
from videoquant.comparison.parts import compare_clips
from videoquant.comparison.references import ScoredClip
from videoquant.comparison.workers import one_by_one
from videoquant.report.answer import Question, answer
from videoquant.report.wish import Wish, default_wish

LOOSER = {"": (0.98, 0.95, 0.9, 0.8), "%": (2.0, 5.0, 10.0, 20.0), "dB": (35.0, 30.0, 25.0, 20.0)}
CYCLE = 3  # frames of a run that is checked: of a keyframe and its residuals
SCHEMES = ("w8a8", "w4a8", "w8a4", "w4a4", "w8a8->w4a8 T=3", "w8a8->w8a4 T=3", "w8a8->w4a4 T=3")
SCHEMES += ("w8a4->w4a4 T=3", "w8a8->w4a4 T=3 ds=1%")


def asked(comparison):
    """The wish and the answer: the default one, or the tightest of the looser ones that is surely kept."""
    first = default_wish(comparison)
    bounds = (first.bound, *(LOOSER[first.measure.unit] if comparison.measures else (15.0, 10.0)))
    for bound in bounds:
        wish = Wish(first.measure, bound, first.place)
        found = answer(comparison, Question(wish))
        if found.row:
            break
    return wish, found


def unseen(plan, sets):
    """Spans of frames that are not scored, nor calibrate where there are such."""
    calibrating = {frame.index for frames in sets.values() for frame in frames}
    spans = []
    for free in plan.free:
        begin = free.start
        for i in [*(i for i in free if i in calibrating), free.stop]:
            spans.append(range(begin, i))
            begin = i + 1
    spans = [span for span in spans if len(span) >= CYCLE] or plan.free
    return calibration_spans(spans, CYCLE, SCORED_FRAMES // CYCLE)


def judge(path, network_name, run):
    network, clip, schemes = (
        vq.load(network_name),
        vq.frames(path),
        [vq.Scheme.parse(text) for text in SCHEMES],
    )
    plan = plan_frames(network, clip, None, schemes, calibrated_elsewhere=False)
    sets = calibration_sets(network, clip, [plan.free], schemes)
    quantized = calibrate_all(network, schemes, sets, True, run, None)
    there, others = (
        compare_clips(network, quantized, [ScoredClip(clip, tuple(spans))], "", False, lambda _: None, run)
        for spans in (plan.scored, unseen(plan, sets))
    )
    wish, found = asked(there)
    entry = {
        "network": network.name,
        "clip": clip.name,
        "scored": there.frames,
        "checked": others.frames,
        "wish": str(wish),
    }
    if found.row is None:
        return entry | {"answer": None, "words": found.sentences}
    check = {row.scheme: row for row in others.rows}
    chosen = check[found.row.scheme]
    keep = [row for row in check.values() if wish.value(row) is not None and wish.kept(wish.value(row))]
    cheapest = min((row.gbops_per_frame for row in keep if row.scheme != "fp32"), default=None)
    return entry | {
        "answer": chosen.scheme,
        "there": wish.value(found.row),
        "interval": wish.interval(found.row),
        "kept_on_others": chosen in keep,
        "on_others": wish.value(chosen),
        "cost_to_cheapest": None if cheapest is None else chosen.gbops_per_frame / cheapest,
        "others": {row.scheme: [row.gbops_per_frame, wish.value(row)] for row in others.rows},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="CLIP NETWORK")
    parser.add_argument("--output", type=Path, default=Path("answers.json"))
    options = side_by_side.add_arguments(parser).parse_args()
    warnings.simplefilter("ignore")
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    with side_by_side.runner(options) as run:
        for clip, network in zip(options.pairs[::2], options.pairs[1::2], strict=True):
            key = f"{Path(network).stem} on {Path(clip).name}"
            if key not in done:
                done[key] = judge(clip, network, run or one_by_one)
                options.output.write_text(json.dumps(done, indent=1) + "\n")
            print(key, json.dumps({k: v for k, v in done[key].items() if k != "others"}), flush=True)


if __name__ == "__main__":
    main()
