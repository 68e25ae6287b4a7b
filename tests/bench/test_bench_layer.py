"""The engine's operators one at a time."""

from videoquant.bench.layer import layer_jobs, two_layers
from videoquant.bench.ranges import activation


def test_the_measured_layer_is_the_papers():
    network = two_layers(56)
    assert network.macs["conv"] == 56 * 56 * 64 * 64 * 9
    assert network.shapes["conv"] == (1, 64, 56, 56)


def test_every_job_runs():
    jobs = layer_jobs(activation(8), threads=1)
    assert list(jobs) == ["quantize", "int8 convolution", "D+S 1%", "D+S 3%"]
    assert all(job() > 0 for job in jobs.values())
