import numpy as np
import pytest

from videoquant.tasks.detection.motion import Motion


def test_it_is_the_filter_of_eight_numbers_written_out():
    """Beside the usual one, with matrices of 8×8 and 4×8."""
    corners = np.array([[10, 20, 30, 60]], np.float32)
    motion = Motion.begin(corners)
    place, velocity = 40 / 20, 40 / 160
    mean = np.array([20, 40, 0.5, 40, 0, 0, 0, 0])
    deviations = [2 * place, 2 * place, 1e-2, 2 * place, 10 * velocity, 10 * velocity, 1e-5, 10 * velocity]
    spread = np.diag(np.square(deviations))
    move, look = np.eye(8) + np.eye(8, k=4), np.eye(4, 8)
    for seen in ((12, 21, 32, 61), (15, 22, 35, 63), (17, 25, 38, 64)):
        h = mean[3]
        noise = np.diag(np.square([h / 20, h / 20, 1e-2, h / 20, h / 160, h / 160, 1e-5, h / 160]))
        mean, spread = move @ mean, move @ spread @ move.T + noise
        motion = motion.step()
        x1, y1, x2, y2 = seen
        measured = np.array([(x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / (y2 - y1), y2 - y1])
        error = np.diag(np.square([mean[3] / 20, mean[3] / 20, 1e-1, mean[3] / 20]))
        gain = spread @ look.T @ np.linalg.inv(look @ spread @ look.T + error)
        mean = mean + gain @ (measured - look @ mean)
        spread = spread - gain @ look @ spread
        motion = motion.seen(np.array([seen], np.float32))
        assert motion.mean[0, :, 0] == pytest.approx(mean[:4], rel=1e-9)
        assert motion.mean[0, :, 1] == pytest.approx(mean[4:], rel=1e-9)


def test_a_box_that_moves_is_thought_to_move_on():
    motion = Motion.begin(np.array([[0, 0, 20, 40]], np.float32))
    for frame in range(1, 12):
        motion = motion.step().seen(np.array([[5 * frame, 0, 5 * frame + 20, 40]], np.float32))
    assert motion.step().corners[0].tolist() == pytest.approx([60, 0, 80, 40], abs=1)
