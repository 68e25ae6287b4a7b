"""The sections of the HTML report, from top to bottom. One that has nothing to show is empty."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape

from videoquant.comparison import Comparison, Row
from videoquant.costs.simulator import fallback_sentences
from videoquant.report.answer import Answer
from videoquant.report.glossary import glossary
from videoquant.report.layer_plots import layers_plot, shares_plot
from videoquant.report.pareto import pareto
from videoquant.report.plot_style import family
from videoquant.report.plots import fidelity_plot, frames_per_point, frames_plot, lower_panel, time_plot
from videoquant.report.range_plots import ranges_plot
from videoquant.report.summary import summary
from videoquant.report.table import FRONT_MEANING, columns, sqnr_text

SHOWN = 3  # frames


def data_uri(picture: bytes) -> str:
    """A JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")


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
        lead += f"\n<pre><code>{escape(found.commands)}</code></pre>"
    return (
        f"{notice}<section class='answer'>\n{lead}\n</section>\n"
        f"<section class='summary'>\n{sentences}\n{note}\n</section>"
    )


def results(comparison: Comparison, chosen: Row | None) -> str:
    shown = columns(comparison)
    base = next((row.gbops_per_frame for row in comparison.rows if family(row.scheme) == "float"), 0.0)
    heads = [_head("scheme", "text", "")]
    heads += [_head(column.heading, "down" if column.higher_is_better else "up", "n") for column in shown]
    if base:
        heads.insert(2, "<th class='n'>of fp32</th>")
    lines = []
    for index, (row, on_front) in enumerate(zip(comparison.rows, pareto(comparison.rows), strict=True)):
        mark = f"<span class='mark' title='Pareto front: {FRONT_MEANING}'>●</span>" if on_front else ""
        cells = [f"<td data-value='{escape(row.name)}'><code>{escape(row.name)}</code>{mark}</td>"]
        for column in shown:
            value = column.values[index]
            data = "" if value is None else f" data-value='{value!r}'"
            cells.append(f"<td class='n'{data}>{escape(column.cells[index])}</td>")
        if base:
            cells.insert(2, f"<td class='n'>{_percent(row.gbops_per_frame / base)}</td>")
        kinds = " ".join(["front"] * on_front + ["chosen"] * (row is chosen))
        lines.append(f"<tr class='{kinds}'>{''.join(cells)}</tr>")
    caption = (
        f"<span class='mark'>●</span> Pareto front of GBOPs and SQNR: {FRONT_MEANING}. Click a heading to "
        "sort. results.csv beside this page has the same numbers, results.json those of every frame and "
        "layer."
    )
    return (
        "<section>\n<h2>Results</h2>\n<div class='scroll'><table>\n<thead><tr>"
        + "".join(heads)
        + "</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + f"\n</tbody>\n</table></div>\n<p class='caption'>{caption}</p>\n</section>"
    )


def fidelity(comparison: Comparison) -> str:
    if any(row.gbops_per_frame <= 0 for row in comparison.rows):  # a network without layers: no log axis
        return ""
    caption = (
        "Each point is a scheme: further left costs less, further up is closer to fp32. The grey line "
        "shows the best that each budget buys."
    )
    below = lower_panel(comparison)
    if below and not below[0].higher_is_better:
        caption += " In the lower panel less is better."
    return _figure("Fidelity against cost", fidelity_plot(comparison), caption)


def fidelity_in_time(comparison: Comparison) -> str:
    chip = comparison.chip
    if chip is None or not any(row.on_chip and row.on_chip.ms for row in comparison.rows):
        return ""
    caption = (
        f"The same against the time that {escape(chip.name)} takes in simulation ({escape(chip.source)}). "
        "It counts what BOPs do not: memory traffic, the state that residual schemes read and write, layers "
        "that do not fill the array."
    )
    fallbacks = {p: q for row in comparison.rows if row.on_chip for p, q in row.on_chip.fallbacks.items()}
    sentences = [escape(sentence) for sentence in fallback_sentences(chip, fallbacks)]
    return _figure("Fidelity against time", time_plot(comparison), " ".join([caption, *sentences]))


def frame_by_frame(comparison: Comparison) -> str:
    if comparison.stills or all(family(row.scheme) == "float" for row in comparison.rows):
        return ""
    step = frames_per_point(comparison.frames)
    caption = "SQNR of each frame."
    if step > 1:
        caption = f"SQNR of the frames; each point is the mean of {step}."
    if any(family(row.scheme) in ("residual", "adaptive") for row in comparison.rows):
        caption += (
            " Marks are keyframes: between them a residual scheme can lose fidelity as the picture moves "
            "away from the last one; the next starts afresh."
        )
    return _figure("Frame by frame", frames_plot(comparison), caption)


def layers(comparison: Comparison) -> str:
    if not any(row.layer_sqnr_db and family(row.scheme) != "float" for row in comparison.rows):
        return ""
    caption = (
        "SQNR of each layer’s output against the same layer of fp32, first layer on the left: blue is "
        "close, red is far. Where the colour turns abruptly from one layer to the next, much of the error "
        "arises."
    )
    return _figure("Error by layer", layers_plot(comparison), caption)


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
        "<section>\n<h2>Density of the sparse parts</h2>\n<div class='scroll'><table>\n"
        f"<thead><tr><th>scheme</th>{headings}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + "\n</tbody></table></div>\n"
        "<p class='caption'>The share of activations that the sparse part of Dense + Sparse held, frame by "
        "frame: thresholds that do not fit a frame let too many or too few through.</p>\n</section>"
    )


def ranges(comparison: Comparison) -> str:
    if not any(row.ranges for row in comparison.rows):
        return ""
    caption = (
        "Ranges that were predicted from early activations, on scored frames. Left: each point is one "
        "quantizer on one frame, blue for the first layers, red for the last; on the diagonal the prediction "
        "is what measuring would have given, on the dashed line it is the static average. Right: the squared "
        "error of the predictions as a share of that of the static average; below 100% is a gain. A grey "
        "rule marks where the next position takes over."
    )
    return _figure("Predicted ranges", ranges_plot(comparison), caption)


def shares(comparison: Comparison) -> str:
    if not any(row.shares for row in comparison.rows):
        return ""
    caption = (
        "How the multiply–accumulates of residual frames divide over bit-widths. The grey part was skipped: "
        "too little had changed there since the keyframe."
    )
    return _figure("Bits that adaptive schemes use", shares_plot(comparison), caption)


def pictures(comparison: Comparison) -> str:
    rows = sorted(
        (row for row in comparison.rows if row.pictures), key=lambda row: family(row.scheme) != "float"
    )
    if not rows or not comparison.picture_frames:
        return ""
    strips = []
    step = max(1, len(comparison.picture_frames) // SHOWN)
    for number, frame in list(enumerate(comparison.picture_frames))[step // 2 :: step][:SHOWN]:
        cells = [
            _picture(comparison, row, frame, row.pictures[number])
            for row in rows
            if number < len(row.pictures)
        ]
        strips.append(f"<h3>Frame {frame}</h3>\n<div class='strip'>\n" + "\n".join(cells) + "\n</div>")
    caption = (
        "The same frame under each scheme, with the fidelity of this frame; click a picture to enlarge it."
    )
    return (
        f"<section>\n<h2>Sample frames</h2>\n<p class='caption'>{caption}</p>\n"
        + "<div class='frames'>\n"
        + "\n".join(strips)
        + "\n</div>\n<dialog><img alt=''><p></p></dialog>\n</section>"
    )


def _picture(comparison: Comparison, row: Row, frame: int, picture: bytes) -> str:
    measured = next((entry for entry in row.per_frame if entry["frame"] == frame), None)
    facts = []
    if measured is not None:
        db = sqnr_text(measured["sqnr_db"])
        facts.append(db if db == "exact" else f"{db} dB")
        for measure in comparison.measures[:1]:
            value = measured.get("agreement", {}).get(measure.name)
            if value is not None:
                facts.append(f"{measure.label} {measure.format(value)}")
    title = escape(f"{row.name}, frame {frame}")
    return (
        f"<figure><img src='{data_uri(picture)}' alt='{title}'>"
        f"<figcaption><code>{escape(row.name)}</code> <span>{escape(' · '.join(facts))}</span></figcaption>"
        "</figure>"
    )


def method(comparison: Comparison, made: Mapping[str, str]) -> str:
    facts = [
        ("Network", comparison.network),
        ("Clip", comparison.source),
        ("Frames scored", str(comparison.frames)),
        ("Calibrated on", comparison.calibration),
        ("Task", comparison.task or "unknown: outputs are compared as numbers only"),
        ("Primary output", comparison.primary),
        ("Chip", comparison.chip.name if comparison.chip else ""),
        ("Made", f"{made['date']}, by videoquant {made['version']}"),
        ("Command", made["command"]),
    ]
    listed = "".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in facts if text)
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in glossary(comparison))
    return (
        "<section>\n<h2>How it was measured</h2>\n"
        f"<dl class='facts'>{listed}</dl>\n<h3>Terms</h3>\n<dl>{terms}</dl>\n</section>"
    )


def _figure(heading: str, drawing: str, caption: str) -> str:
    named = drawing.replace("<svg", f"<svg role='img' aria-label='{heading}'", 1)
    return (
        f"<section>\n<h2>{heading}</h2>\n<figure class='plot'>\n<div class='card'>{named}</div>\n"
        f"<figcaption>{caption}</figcaption>\n</figure>\n</section>"
    )


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
