"""Gates and regions side by side, on networks that are quick."""

import numpy as np
import pytest

from tests.detectors import bright_spots
from tests.networks import small_network
from videoquant.api import quantize
from videoquant.bench import gates
from videoquant.bench.gates import BOX_GATE, EVERY, FRAME_GATE, REGIONS
from videoquant.bench.gating import GatingRow, gate_clip
from videoquant.data.video import Frame
from videoquant.engine import lower
from videoquant.errors import VideoQuantError
from videoquant.models.loading import load
from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.report.gating_table import gating_table, on_front
from videoquant.tasks.detection.detector import BOX_F1
from videoquant.tasks.segmentation import MASK_IOU

SIZE = (192, 256)


def maps_alone():
    """The part of a small network that gives maps, at a stride of 2, of which one channel is a mask."""
    full = small_network(128)
    keep = [node for node in full.nodes if node.op in ("conv2d", "clamp")][:2]
    head = Node("head", "conv2d", (keep[-1].name,), keep[0].attributes | {"stride": [1, 1]}, ("weight",))
    import torch

    tensors = {k: v for k, v in full.tensors.items() if k.rpartition(".")[0] in {n.name for n in keep}}
    tensors["head.weight"] = torch.randn(1, 8, 3, 3, generator=torch.Generator().manual_seed(0)) / 8
    seen = Preprocessing(task="segmentation")
    return Network([*keep, head], full.input, (1, 3, *SIZE), {"mask": "head"}, tensors, seen, "maps")


def clip(count=10):
    random = np.random.default_rng(0)
    ground = random.integers(60, 160, (SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frames = []
    for index in range(count):
        pixels = ground.copy()
        if index >= 5:
            pixels[32:64, 10 + 6 * index : 50 + 6 * index] = 250
        frames.append(Frame(pixels, index))
    return frames


@pytest.fixture(scope="module")
def quantized():
    return quantize(maps_alone(), "w8a8", [frame.pixels for frame in clip()])


def ways(quantized):
    plan = gates.fitted_plan(quantized)
    dense = plan.stream("frame", 1)
    return [
        gates.EveryFrame(dense),
        gates.FrameGate(dense, 0.05),
        gates.BoxGate(dense, gates.crops_of(quantized, 1), 30),
        gates.WithRegions(plan, 16, 1),
    ]


def test_a_still_picture_costs_nothing_and_what_moves_costs_its_part(quantized):
    every, frames, boxes, regions = ([way.run(f.pixels) for f in clip()] for way in ways(quantized))
    assert [share for _, share in every] == [1] * 10
    assert [share for _, share in frames] == [1, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    assert [share for _, share in boxes][:5] == [1, 0, 0, 0, 0]
    assert all(0 < share < 1 for _, share in boxes[5:]) and all(0 < share < 1 for _, share in regions[5:])
    for index in (4, 9):
        whole = every[index][0]["mask"]
        assert np.array_equal(frames[index][0]["mask"], whole)
        # Far from what moves nothing differs, and in it a crop sees what the picture does.
        for found in (boxes, regions):
            assert np.array_equal(found[index][0]["mask"], whole)


def test_what_a_crop_gives_stands_where_it_was_but_for_its_edge():
    held = np.zeros((1, 1, 8, 12), np.float32)  # of 128×192 pixels, 16 a cell
    y = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    gates.put_back(held, y, (0, 32), (128, 192), (64, 64))
    expected = np.zeros((8, 12), np.float32)
    expected[0:3, 3:5] = y[0, 0, 0:3, 1:3]
    assert np.array_equal(held[0, 0], expected)
    gates.put_back(held, y, (64, 128), (128, 192), (64, 64))
    expected[5:8, 9:12] = y[0, 0, 1:, 1:]
    assert np.array_equal(held[0, 0], expected)


def test_a_network_with_outputs_that_have_no_place_has_no_box_gate():
    network = small_network(64)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    scored = quantize(network, "w8a8", list(pictures))
    with pytest.raises(VideoQuantError, match="output 'scores' has no place in the picture"):
        gates.crops_of(scored, 1)


def test_crops_have_the_ranges_of_the_whole(quantized):
    crops = gates.crops_of(quantized, 1)
    assert crops.size == (96, 128) and crops.align == 16
    assert crops.stream.plan.grids == lower(quantized).grids


def test_rows_say_what_was_computed_and_how_close_it_is(quantized):
    network = quantized.network
    rows = gate_clip(network, ways(quantized), "made", clip(), 1)
    assert [row.method for row in rows] == [EVERY, FRAME_GATE, BOX_GATE, REGIONS]
    every, frames, boxes, regions = rows
    assert every.pixels_share == every.frames_share == 1 and every.as_frame["mask_iou"] == 1
    assert frames.frames_share == frames.pixels_share == pytest.approx(5 / 7)
    assert 0 < boxes.pixels_share < boxes.frames_share <= 5 / 7 and 0 < regions.pixels_share < 1
    assert all(row.cpu_ms > 0 and row.ms > 0 and row.agreement["mask_iou"] > 0.9 for row in rows)


class Stuck(gates.Way):
    """Gives the first frame's outputs for ever."""

    method = FRAME_GATE

    def __init__(self, stream):
        self._stream, self._held = stream, None

    def run(self, picture):
        self._held = self._held or self._stream.arrays(picture)
        return self._held, 0.0


def test_rows_of_a_detector_say_which_boxes_and_tracks_are_found(tmp_path):
    network = load(bright_spots(tmp_path / "spots.onnx", task="detection", scale="1/255"))
    frames = [Frame(np.zeros((64, 64, 3), np.uint8), index) for index in range(3 + 6)]
    for frame in frames:  # a spot that stands, and one that walks
        left = 2 * frame.index
        frame.pixels[4:20, 44:60] = frame.pixels[36:52, left : left + 16] = 255
    plan = gates.fitted_plan(quantize(network, "w8a8", [frame.pixels for frame in frames]))
    ways = [gates.EveryFrame(plan.stream("frame", 1)), Stuck(plan.stream("frame", 1))]
    every, stuck = gate_clip(network, ways, "made", frames, 1)
    assert every.boxes == stuck.boxes > 6 and every.tracks == stuck.tracks > 1
    assert every.boxes_found == every.tracks_kept == 1.0
    assert 0 < stuck.boxes_found < 1 and 0 < stuck.tracks_kept < 1
    seconds = 6 * every.cpu_ms / 1e3
    assert every.found_per_cpu_second == pytest.approx(every.boxes / seconds)
    table = gating_table("made", [every, stuck], BOX_F1)
    assert [str(column.header) for column in table.columns][-3:] == [
        "found",
        "found/CPU s ↑",
        "tracks kept ↑",
    ]


def test_the_front_is_what_nothing_beats_in_both():
    def row(cpu, iou):
        measures = {} if iou is None else {"mask_iou": iou}
        return GatingRow("c", REGIONS, "", True, cpu, cpu, 1, 1, measures, measures)

    rows = [row(5, 0.9), row(6, 0.9), row(7, 0.95), row(4, 0.8), row(4, 0.7), row(1, None)]
    assert on_front(rows, MASK_IOU) == [True, False, True, True, False, False]
