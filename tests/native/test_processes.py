"""Streams where the system is not as one wishes: forks, exits, few threads, little memory, flushed denormals.

Each test runs a script of its own, since what it does would harm the tests' process.
"""

import subprocess
import sys

import pytest

BEGIN = """
import os, resource, sys, threading
import numpy as np, torch, videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine import lower
torch.set_num_threads(1)
frames = moving_frames(6)
plan = lower(vq.quantize(small_network(), "w8a8", frames))
def outputs(stream): return [stream.run(frame) for frame in frames]
def equal(a, b): return all(torch.equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in x)
def child(work):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def script(text: str) -> None:
    """Runs it; fails with what it says where it does not end well, or not at all."""
    done = subprocess.run([sys.executable, "-c", BEGIN + text], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["frame", "exact"])
def test_a_forked_child_uses_drops_and_opens_streams(mode: str) -> None:
    script(f"""
streams = [plan.stream({mode!r}, threads) for threads in (1, 2, 4)]
right = outputs(streams[0])
assert all(equal(outputs(s), right) for s in streams[1:])
for number in range(3):
    def drops():
        del streams[number]
        return True
    assert child(lambda: equal(outputs(streams[number]), right)) == 0
    assert child(drops) == 0
    assert child(lambda: equal(outputs(plan.stream({mode!r}, threads=3)), right)) == 0
    assert child(lambda: child(lambda: equal(outputs(streams[number]), right)) == 0) == 0, "a child's child"
assert all(equal(outputs(s), right) for s in streams)
""")


def test_a_forked_child_that_only_ends_ends() -> None:
    script("""
stream = plan.stream("exact", threads=3)
outputs(stream)
if os.fork() == 0:
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
""")


def test_threads_of_one_program_have_a_stream_each() -> None:
    script("""
right, seen = outputs(plan.stream()), []
def work(): seen.append(equal(outputs(plan.stream("exact", threads=2)), right))
workers = [threading.Thread(target=work) for _ in range(6)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert seen == [True] * 6
""")


def test_the_interpreter_ends_while_a_stream_runs() -> None:
    script("""
import time
from videoquant import _native
x = np.zeros((plan.input_shape[2], plan.input_shape[3], 3), np.float32)
def work():
    session = _native.Session(plan.native, threads=2)
    while True: session.run("key", x)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
""")


def test_fewer_threads_than_asked_for() -> None:
    # A limit on processes does not hold for root, one on memory for the threads' stacks does.
    script("""
right = outputs(plan.stream())
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), -1))
stream = plan.stream("exact", threads=1000)
assert equal(outputs(stream), right)
""")


def test_too_little_memory_is_said_in_one_line() -> None:
    script("""
wide = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.Conv2d(64, 4, 3, padding=1))
x = torch.rand(1, 3, 600, 800)
plan = lower(vq.quantize(vq.capture(wide, x), "w8a8 no-bias-correction", [x]))
plan.native
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), -1))
try: plan.stream("exact", threads=1)(x)
except vq.VideoQuantError as error: assert "memory" in str(error) and "\\n" not in str(error), error
else: raise SystemExit("it had enough")
""")


def test_denormals_do_not_depend_on_the_caller() -> None:
    script("""
from tests.operators.plan_draft import Draft
from videoquant import _native
draft = Draft(np.random.default_rng(0))
source = draft.slot(64, 64, 8)
out = draft.stored(draft.op("map", [source], (64, 64, 8)))
draft.ops[-1]["steps"].insert(0, {"do": "mul", "value": 0.5})
plan = _native.Plan(draft.spec())
x, right = np.full((64, 64, 8), 1e-40, np.float32), np.float32(0.5e-40).view(np.int32)
for flush_before in (False, True):
    for flush_while in (False, True):
        for isa in _native.isas():
            torch.set_flush_denormal(flush_before)
            session = _native.Session(plan, isa, 3)
            torch.set_flush_denormal(flush_while)
            session.run("key", x)
            seen = session.slot(out).view(np.int32).copy()
            assert (seen == right).all(), (isa, flush_before, flush_while)
        flushes = torch.tensor([1e-40]) * 0.5 == 0
        assert bool(flushes) == flush_while, "the caller's own arithmetic stays as it was"
        torch.set_flush_denormal(False)
""")


def test_a_forked_child_simulates() -> None:
    script("""
from videoquant.quantizers.one_pass import quantize_steps
from videoquant.ranges.grid import Grid
torch.set_num_threads(2)
x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 16, 128, 128), np.float32))
def steps(): return quantize_steps(x, Grid.affine(-1.0, 1.0, 8))[0].numpy()
right = steps()
assert child(lambda: np.array_equal(steps(), right)) == 0
assert child(lambda: child(lambda: np.array_equal(steps(), right)) == 0) == 0, "a child's child"
assert np.array_equal(steps(), right)
""")


def test_another_library_uses_the_tiles_of_the_same_thread() -> None:
    """Its products in bf16 run on AMX where there is some, between frames and on another thread meanwhile."""
    script("""
a, b = (torch.arange(512 * 512).reshape(512, 512).remainder(n).to(torch.bfloat16) for n in (7, 5))
product = a @ b
right = outputs(plan.stream("frame", 2))
stream, seen, stop = plan.stream("frame", 2), [], threading.Event()
def multiply():
    while not stop.is_set() or not seen:
        seen.append(torch.equal(a @ b, product))
other = threading.Thread(target=multiply)
other.start()
for frame, expected in zip(frames, right, strict=True):
    assert all(torch.equal(y, expected[name]) for name, y in stream.run(frame).items())
    assert torch.equal(a @ b, product)
stop.set()
other.join()
assert all(seen)
""")
