"""Tasks on a local Ray cluster: as side by side on one machine."""

import pytest

from tests.comparison.test_workers import Square
from videoquant.comparison.ray_cluster import RayCluster
from videoquant.errors import CalibrationWarning, DataError, MissingExtraError, WorkerError


@pytest.fixture
def ray():
    return pytest.importorskip("ray")


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"videoquant\[ray\]"):
        RayCluster("local").__enter__()


def test_a_cluster_that_is_not_there(ray):
    with pytest.raises(WorkerError, match=r"--ray 127\.0\.0\.1:1: cannot be reached"):
        RayCluster("127.0.0.1:1").__enter__()


def test_tasks_give_what_they_give_here_though_a_worker_is_lost(ray, tmp_path):
    steps = []
    tasks = [Square(1), Square(2, lost=tmp_path / "lost", times=1), Square(3, warning="too dark")]
    with RayCluster("local") as run, pytest.warns(CalibrationWarning, match="too dark"):
        found = dict(run(tasks, steps.append))
    assert found == {0: 1, 1: 4, 2: 9}
    assert sorted(steps) == sorted([f"square {n}" for n in (1, 2, 3)] * 2)


def test_what_a_task_raises_comes_here(ray):
    with RayCluster("local") as run, pytest.raises(DataError, match="no frames"):
        list(run([Square(3, error="no frames")], lambda _: None))
