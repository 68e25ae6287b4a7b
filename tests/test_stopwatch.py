"""The one way of timing."""

import time

from videoquant.stopwatch import PAUSE, settle, timed


def test_a_call_gives_its_result_and_milliseconds():
    result, ms = timed(lambda: time.sleep(0.02) or "done")
    assert result == "done" and ms >= 20


def test_settling_takes_the_pause():
    _, ms = timed(settle)
    assert ms >= 1e3 * PAUSE
