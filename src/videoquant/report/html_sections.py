"""The sections of the HTML report, from top to bottom. One that has nothing to show is empty.

A chart stands in the page as an empty place with a name; page.js draws it there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from videoquant.bench.machine import this_machine
from videoquant.comparison import LAYER_STEP, Comparison
from videoquant.costs.simulator import fallback_sentences
from videoquant.report.answer import Answer
from videoquant.report.fidelity_chart import Charts, default_chart
from videoquant.report.frames_chart import frames_chart
from videoquant.report.glossary import glossary
from videoquant.report.layer_charts import bits_chart, error_map, layer_panels, ranges_chart, steepest
from videoquant.report.palette import family
from videoquant.report.pareto import pareto
from videoquant.report.summary import summary
from videoquant.report.table import FRONT_MEANING, columns

LIBRARIES = ("numpy", "torch", "onnx", "av", "scipy", "scikit-learn")  # whose versions results hang on


def overview(comparison: Comparison, found: Answer) -> str:
    notice = ""
    if not comparison.complete:
        held = f"these results hold only the first {_count(comparison.frames, 'frame')}"
        notice = f"<p class='notice'>The run was stopped early: {held}.</p>\n"
    sentences = "\n".join(f"<p>{_code(sentence)}</p>" for sentence in summary(comparison))
    against = "not against ground truth"
    if comparison.accuracy:
        against = f"measures called (labels) against the labels of {_count(comparison.labelled, 'frame')}"
    reference = (
        "Fidelity is measured against the network’s own floating-point (fp32) output on the same frames, "
        f"{against}."
    )
    facts = f"{_count(comparison.frames, 'frame')}, {_count(len(comparison.rows), 'scheme')}."
    note = f"<p class='muted'>{facts} {reference}</p>"
    lead = "\n".join(f"<p>{_code(sentence)}</p>" for sentence in found.sentences)
    if found.commands:
        lead += f"\n{_command('make-it', found.commands, 'how to make and run it')}"
    return (
        f"{notice}<section class='answer' aria-label='Answer'>\n{lead}\n</section>\n"
        f"<section class='summary' aria-label='Summary'>\n{sentences}\n{note}\n</section>"
    )


def results(comparison: Comparison, found: Answer) -> str:
    shown = columns(comparison)
    base = next((row.gbops_per_frame for row in comparison.rows if family(row.scheme) == "float"), 0.0)
    heads = [_head("scheme", "text", "")]
    heads += [_head(column.heading, "down" if column.higher_is_better else "up", "n") for column in shown]
    if base:
        heads.insert(2, "<th class='n'>of fp32</th>")
    lines = []
    for index, (row, on_front) in enumerate(zip(comparison.rows, pareto(comparison.rows), strict=True)):
        mark = f"<span class='mark' title='Pareto front: {FRONT_MEANING}'>●</span>" if on_front else ""
        mark += "<span class='badge'>the answer</span>" if row is found.row else ""
        cells = [f"<td data-value='{escape(row.name)}'><code>{escape(row.name)}</code>{mark}</td>"]
        for column in shown:
            value = column.values[index]
            data = "" if value is None else f" data-value='{value!r}'"
            between = column.intervals[index] if column.intervals else ""
            spread = f"<span class='interval'>{escape(between)}</span>" if between else ""
            cells.append(f"<td class='n'{data}>{escape(column.cells[index])}{spread}</td>")
        if base:
            cells.insert(2, f"<td class='n'>{_percent(row.gbops_per_frame / base)}</td>")
        kinds = " ".join(["front"] * on_front + ["chosen"] * (row is found.row))
        lines.append(f"<tr class='{kinds}' data-scheme='{escape(row.name)}'>{''.join(cells)}</tr>")
    caption = (
        f"<span class='mark'>●</span> Pareto front of GBOPs and SQNR: {FRONT_MEANING}. Small: 95% intervals. "
        "Click a heading to sort. results.csv beside this page has the same numbers, results.json those of "
        "every frame and layer."
    )
    return (
        f"<section>\n<h2>Results</h2>\n{_scroll('Results')}<table>\n<thead><tr>"
        + "".join(heads)
        + "</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + f"\n</tbody>\n</table></div>\n<p class='caption'>{caption}</p>\n</section>"
    )


def charts(comparison: Comparison, drawn: Charts) -> dict[str, Any]:
    """The charts by the names of their places; those of fidelity (drawn) by what is chosen beside them."""
    fixed = {
        "frames": frames_chart(comparison),
        "errors": error_map(comparison),
        "panels": layer_panels(comparison),
        "bits": bits_chart(comparison),
        "ranges": ranges_chart(comparison),
    }
    fidelities = {key: spec for key, (_, _, spec) in drawn.items()}
    return {"fidelity": fidelities} | {name: spec for name, spec in fixed.items() if spec}


def fidelity(comparison: Comparison, found: Answer, drawn: Charts) -> str:
    if not drawn:
        return ""
    costs, measures = {}, {}
    for key, (cost, measure, _) in drawn.items():
        first, second = key.split("|")
        costs[first], measures[second] = cost, measure
    shown = default_chart(drawn, found).split("|")
    caption = (
        "Each point is a scheme: further left costs less, further up is closer to fp32. Bars are 95% "
        "intervals, the line is the Pareto front: the best that each budget buys. Zoom with Ctrl and the "
        "wheel or the buttons; drag to move; click a point to look at that scheme below."
    )
    chip, notes = comparison.chip, []
    if chip is not None and "ms" in costs:
        caption += (
            f" Times and energies are simulated for {escape(chip.name)} ({escape(chip.source)}): they count "
            "what bit operations do not, memory traffic and layers that do not fill the array."
        )
        fallbacks = {p: q for row in comparison.rows if row.on_chip for p, q in row.on_chip.fallbacks.items()}
        notes = [escape(sentence) for sentence in fallback_sentences(chip, fallbacks)]
    controls = (
        f"<label>cost {_select('cost', costs, shown[0])}</label>"
        f"<label>measure {_select('measure', measures, shown[1])}</label>"
        "<span class='buttons'>"
        "<button type='button' data-zoom='0.5' aria-label='zoom in'>+</button>"
        "<button type='button' data-zoom='2' aria-label='zoom out'>−</button>"
        "<button type='button' data-zoom='0'>reset</button></span>"
    )
    return _figure("Fidelity against cost", "fidelity", " ".join([caption, *notes]), controls)


def choose(comparison: Comparison, found: Answer) -> str:
    """Which scheme the sections below show."""
    names = [row.name for row in comparison.rows if family(row.scheme) != "float"]
    if not names:
        return ""
    chosen = found.row.name if found.row else names[0]
    options = {name: name.replace("->", "→") for name in names}
    return f"<div class='choose'><label>Look closer at {_select('scheme', options, chosen)}</label></div>"


def frame_by_frame(comparison: Comparison) -> str:
    if frames_chart(comparison) is None:
        return ""
    caption = (
        "The chosen scheme in colour, the others in grey. Large dots are keyframes: between them a residual "
        "scheme can lose fidelity as the picture moves away from the last one. Gaps are frames that were not "
        "scored."
    )
    return _figure("Frame by frame", "frames", caption)


def layers(comparison: Comparison) -> str:
    if error_map(comparison) is None:
        return ""
    rows = [row for row in comparison.rows if family(row.scheme) != "float" and row.layer_sqnr_db]
    where = "".join(
        f"<p class='by-scheme' data-scheme='{escape(row.name)}' hidden>"
        f"Of <code>{escape(row.name)}</code> the error grows most at <code>{escape(layer)}</code>.</p>"
        for row in rows
        if (layer := steepest(row)) is not None
    )
    caption = (
        f"Above, every scheme: each layer’s output against the same layer of fp32 (every {LAYER_STEP}th "
        "frame). Below, the chosen one: the power of its error, what its quantizers clip, how many residuals "
        "round to zero, so that nothing is computed with them. Layers are numbered in the network’s order; "
        "tooltips have their names."
    )
    return (
        "<section aria-labelledby='layers'>\n<h2 id='layers'>Where the loss arises</h2>\n"
        f"{where}\n<div class='card'><div class='chart' data-chart='errors'></div></div>\n"
        f"<div class='card'><div class='chart' data-chart='panels'></div></div>\n"
        f"<p class='caption'>{caption}</p>\n</section>"
    )


def bits(comparison: Comparison) -> str:
    if bits_chart(comparison) is None:
        return ""
    caption = (
        "How the multiply–accumulates of residual frames divide over bit-widths. The grey part was skipped: "
        "too little had changed there since the keyframe."
    )
    return _figure("Bits that adaptive schemes use", "bits", caption)


def ranges(comparison: Comparison) -> str:
    if ranges_chart(comparison) is None:
        return ""
    caption = (
        "The squared error of ranges that were predicted from early activations, on scored frames, of that "
        "of the static average: below 100% is a gain. A bar is a quantizer, in the network’s order."
    )
    return _figure("Predicted ranges", "ranges", caption)


def densities(comparison: Comparison) -> str:
    rows = [row for row in comparison.rows if row.density]
    if not rows:
        return ""
    lines = []
    for row in rows:
        mean, low, high = (f"{row.density[name]:.2%}" for name in ("mean", "p10", "p90"))
        cells = "".join(
            f"<td class='n'>{x}</td>" for x in (f"{row.density['requested']:.2%}", mean, f"{low} – {high}")
        )
        lines.append(f"<tr><td><code>{escape(row.name)}</code></td>{cells}</tr>")
    headings = "".join(
        f"<th class='n'>{text}</th>" for text in ("requested", "mean", "10th – 90th percentile")
    )
    return (
        f"<section>\n<h2>Density of the sparse parts</h2>\n{_scroll('Density')}<table>\n"
        f"<thead><tr><th>scheme</th>{headings}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + "\n</tbody></table></div>\n"
        "<p class='caption'>The share of activations that the sparse part of Dense + Sparse held, frame by "
        "frame: thresholds that do not fit a frame let too many or too few through.</p>\n</section>"
    )


def method(comparison: Comparison, made: Mapping[str, str]) -> str:
    machine = this_machine(LIBRARIES)
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    facts = [
        ("Made", f"{made['date']}, by videoquant {made['version']}"),
        ("Network", comparison.network),
        ("Clip", comparison.source),
        ("Frames scored", str(comparison.frames)),
        ("Calibrated on", comparison.calibration),
        ("Task", comparison.task or "unknown: outputs are compared as numbers only"),
        ("Primary output", comparison.primary),
        ("Run by", comparison.runner),
        ("Chip", comparison.chip.name if comparison.chip else ""),
        ("Machine", f"{machine.cpu}, {machine.cores} cores ({', '.join(machine.flags) or 'no vector sets'})"),
        ("Versions", versions),
        ("Seed", "none: nothing is drawn at random"),
        ("Intervals", "95%, Student’s t over pieces of at most 12 frames that follow each other."),
    ]
    listed = "".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in facts if text)
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in glossary(comparison))
    return (
        "<section aria-labelledby='method'>\n<h2 id='method'>How it was made</h2>\n"
        f"{_command('made-by', made['command'], 'the command that made this page')}\n"
        f"<dl class='facts'>{listed}</dl>\n<h3>Terms</h3>\n<dl>{terms}</dl>\n</section>"
    )


def _figure(heading: str, name: str, caption: str, controls: str = "") -> str:
    """A section with a chart's place. controls: what stands above it."""
    above = f"<div class='bar'>{controls}</div>\n" if controls else ""
    return (
        f"<section aria-labelledby='s-{name}'>\n<h2 id='s-{name}'>{heading}</h2>\n<figure class='plot'>\n"
        f"<div class='card'>{above}<div class='chart' data-chart='{name}'></div></div>\n"
        f"<figcaption>{caption}</figcaption>\n</figure>\n</section>"
    )


def _command(name: str, text: str, what: str) -> str:
    """Lines for a terminal, and a button that copies them. what: they are."""
    return (
        f"<div class='command'><pre tabindex='0' aria-label='{what}'>"
        f"<code id='{name}'>{escape(text)}</code></pre>"
        f"<button type='button' data-copy='{name}' aria-label='copy {what}'>copy</button></div>"
    )


def _select(name: str, options: Mapping[str, str], chosen: str) -> str:
    listed = "".join(
        f"<option value='{escape(value)}'{' selected' * (value == chosen)}>{escape(text)}</option>"
        for value, text in options.items()
    )
    return f"<select id='{name}'>{listed}</select>"


def _scroll(name: str) -> str:
    """The start of what scrolls sideways, by keyboard too."""
    return f"<div class='scroll' role='region' aria-label='{name}' tabindex='0'>"


def _head(text: str, first: str, kind: str) -> str:
    """A heading that sorts; first: which order the first click gives, "up", "down" or "text"."""
    return f"<th class='{kind}'><button type='button' data-first='{first}'>{escape(text)}</button></th>"


def _code(sentence: str) -> str:
    """Escape a sentence; what stands between backquotes becomes code."""
    return re.sub(r"`(.*?)`", r"<code>\1</code>", escape(sentence))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.0995 else 1}f}%"
