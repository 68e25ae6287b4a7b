"""The one answer of a comparison: the cheapest scheme that surely keeps what is wished."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from videoquant.comparison import Comparison, Row
from videoquant.ranges.sources import Static
from videoquant.report.palette import family
from videoquant.report.targets import Cost, Target, default_cost, ratio_text, read_target, target_of
from videoquant.report.wish import Wish, default_wish, read_wish
from videoquant.schemes import Scheme


@dataclass(frozen=True)
class Question:
    """What is asked of a comparison.

    wish: what a scheme shall keep; by default `default_wish`.
    target: the cost to choose by; by default time where a chip or an engine ran, else GBOPs.
    commands: the lines that make and run a scheme, with "{scheme}" in its place.
    """

    wish: Wish | None = None
    target: Cost | None = None
    commands: str = ""


@dataclass(frozen=True)
class Answer:
    """What a comparison recommends.

    row: the scheme, None where none can be recommended.
    sentences: the answer in words; scheme names stand between backquotes.
    commands: that make and run it; "" where there is none, or where nobody said how.
    wish: what was to be kept; None where nothing was compared.
    cost: what was chosen by.
    """

    row: Row | None
    sentences: list[str]
    commands: str = ""
    wish: Wish | None = None
    cost: Cost = "gbops"

    def _repr_html_(self) -> str:
        """The sentences, and the commands, as a notebook shows them."""
        texts = [re.sub(r"`(.*?)`", r"<code>\1</code>", escape(text)) for text in self.sentences]
        said = "".join(f"<p>{text}</p>" for text in texts)
        return said + (f"<pre>{escape(self.commands)}</pre>" if self.commands else "")


def recommend(comparison: Comparison, keep: str | None = None, target: str | None = None) -> Answer:
    """What to take, as `videoquant compare` says it.

    keep: the wish in words, e.g. "mask IoU >= 0.98" (`read_wish`); by default `default_wish`.
    target: "gbops", "ms" or "mj"; by default `default_cost`.
    Raises `SchemeError` for a wish or a target that the comparison does not know.
    """
    wish = None if keep is None else read_wish(keep, comparison.measures, comparison.accuracy)
    cost = read_target(target, comparison.engine is not None, comparison.chip is not None)
    return answer(comparison, Question(wish, cost))


def answer(comparison: Comparison, question: Question | None = None) -> Answer:
    """The cheapest quantized scheme that keeps the wish with its whole interval, on the comparison's target.

    One that keeps it on these frames, but not surely, is named beside it with what it would save. Where the
    frames cannot tell (nothing that is measured, the same for all, too few), that is the answer.
    """
    question = question or Question()
    wish, cost = question.wish or default_wish(comparison), question.target or default_cost(comparison)
    row, sentences, commands = _answer(comparison, wish, target_of(comparison, cost), question.commands)
    return Answer(row, sentences, commands, wish, cost)


def _answer(
    comparison: Comparison, wish: Wish, target: Target, how: str
) -> tuple[Row | None, list[str], str]:
    """The row, the sentences and the commands. how: `Question.commands`."""
    quantized = [row for row in comparison.rows if family(row.scheme) != "float"]
    rows = sorted(
        (row for row in quantized if target.cost(row) is not None),
        # At equal cost static ranges: bit operations do not count what looking at the input takes. Of those
        # the one that is closest by what is asked.
        key=lambda row: (target.of(row), Scheme.parse(row.scheme).ranges != Static(), -_closeness(wish, row)),
    )
    if not rows:
        return None, ["No quantized scheme was compared." if not quantized else _none_runs(target)], ""
    cannot_tell = _cannot_tell(wish, rows, comparison)
    if cannot_tell:
        return None, [cannot_tell], ""
    kept = [row for row in rows if wish.kept(_value(wish, row))]
    sure = [row for row in kept if wish.surely_kept(row, comparison.stills)]
    stills = comparison.stills
    if not kept:
        best = max(rows, key=lambda row: (wish.measure.gain(_value(wish, row), 0), -target.of(row)))
        sentence = (
            f"No scheme keeps {wish}: `{best.name}` comes nearest, with {_found(wish, best, stills)}. "
            "Allow more loss (--keep), or train it (videoquant train)."
        )
        return None, [sentence], ""
    if not sure:
        sentence = (
            f"No scheme surely keeps {wish}: on these frames `{kept[0].name}` does, with "
            f"{_found(wish, kept[0], stills)}, at {target.text(kept[0])}. Score more frames (--frames) "
            "to be sure, or allow more loss (--keep)."
        )
        return None, [sentence], ""
    chosen = sure[0]
    sentences = [
        f"Take `{chosen.name}`: {_found(wish, chosen, stills)}, at {target.text(chosen)}"
        f"{_saved(comparison, target, chosen)}. It is the cheapest of {len(rows)} that surely keeps {wish}."
    ]
    if chosen.clips:
        by_clip = {
            name: found for name, one in chosen.clips.items() if (found := wish.value(one)) is not None
        }
        worst = min(by_clip, key=lambda name: wish.measure.gain(by_clip[name], 0))
        sentences.append(f"It is worst on {worst}, with {wish.label} {wish.measure.format(by_clip[worst])}.")
    cheaper = [row for row in kept if target.of(row) < target.of(chosen)]
    if cheaper:
        other = cheaper[0]
        saves = 1 - target.of(other) / target.of(chosen)
        sentences.append(
            f"`{other.name}` would save another {saves:.0%}: it kept that here, but not surely "
            f"({_found(wish, other, stills)})."
        )
    # A scheme that was read from a file is there already, and of no use to calibrate anew.
    commands = "" if chosen.file else how.replace("{scheme}", chosen.scheme)
    return chosen, sentences, commands


def _value(wish: Wish, row: Row) -> float:
    value = wish.value(row)
    assert value is not None
    return value


def _closeness(wish: Wish, row: Row) -> float:
    value = wish.value(row)
    return -math.inf if value is None else wish.measure.gain(value, 0)


def _none_runs(target: Target) -> str:
    return f"None of these schemes can be recommended, since {target.name} runs none of them."


def _cannot_tell(wish: Wish, rows: Sequence[Row], comparison: Comparison) -> str:
    values = [wish.value(row) for row in rows]
    if None in values:
        return (
            f"These frames cannot tell: they show nothing that {wish.label} measures. Compare on a clip that "
            "shows what the network is for."
        )
    if len(rows) > 1 and len(set(values)) == 1:
        same = wish.measure.format(_value(wish, rows[0]))
        return (
            f"These frames cannot tell: {wish.label} is {same} for all schemes. Compare on a clip in which "
            "more happens, or on more frames."
        )
    if wish.interval(rows[0], comparison.stills) is None:
        return (
            f"These frames are too few to tell what {wish.label} is on others. Score more of them, from all "
            "over the clip (--frames)."
        )
    return ""


def _found(wish: Wish, row: Row, stills: bool) -> str:
    """A row's measure and its interval."""
    between = wish.interval(row, stills)
    value = wish.measure.format(_value(wish, row))
    if between is None:
        return f"{wish.label} {value}"
    low, high = (f"{end:.{wish.measure.digits}f}" for end in between)
    return f"{wish.label} {value} ({low} to {high})"


def _saved(comparison: Comparison, target: Target, row: Row) -> str:
    """What it costs beside the dearest that most would take: fp32, else plain w8a8."""
    for name in ("fp32", "w8a8"):
        for other in comparison.rows:
            cost = target.cost(other)
            if other is not row and other.scheme == name and cost and target.of(row):
                times = cost / target.of(row)
                return f", {ratio_text(times, name)}" if times > 1.05 else ""
    return ""
