"""The networks by name: how each is built, what was published about it and where."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.models import ddrnet, espcn, hrnet, mobilenet_v2, resnet
from videoquant.models.base import Model, ModelConfig
from videoquant.models.checkpoint import load_parameters, read_checkpoint
from videoquant.torch_settings import plain_defaults

G, GI = 10**9, 2**30  # what sources call "G" of multiply–accumulates

_BODY = "the body with one output and no head, with batch norm as one product per value"
_BARE = "without batch norm's parameters and the extra head, with the additions of biases"


@dataclass(frozen=True)
class Entry:
    """One network.

    build: its class, called with its configuration.
    config: the published one.
    parameters: published, in millions, with the digits of the source; None where the source gives none.
    macs: published multiply–accumulates in `giga` at `config.size`, with the digits of the source.
    source: where the figures and the parameter names are from.
    giga: what the source divides by, 10⁹ or 2³⁰.
    note: what the source counts otherwise than all parameters and the products of all layers.
    """

    build: type[Model]
    config: ModelConfig
    parameters: str | None
    macs: str | None
    source: str
    giga: int = G
    note: str = ""

    @property
    def task(self) -> str:
        """What its outputs mean, one of `network.preprocessing.TASKS`."""
        return str(self.config.preprocessing.task)


_TORCHVISION = "https://docs.pytorch.org/vision/stable/models/generated/torchvision.models"
_DDRNET = "arXiv 2101.06085, comparison on Cityscapes; https://github.com/ydhongHIT/DDRNet"
_HRNET_SEGMENTATION = "https://github.com/HRNet/HRNet-Semantic-Segmentation/tree/pytorch-v1.1"
_HRNET_LANDMARKS = "https://github.com/HRNet/HRNet-Facial-Landmark-Detection"
_HRNET_POSE = "https://github.com/leoxiaobin/deep-high-resolution-net.pytorch"
_ESPCN = "Shi et al., CVPR 2016, Section 3"

ENTRIES: dict[str, Entry] = {
    "resnet18": Entry(resnet.ResNet, resnet.RESNET18, "11.689512", "1.81", f"{_TORCHVISION}.resnet18.html"),
    "resnet34": Entry(resnet.ResNet, resnet.RESNET34, "21.797672", "3.66", f"{_TORCHVISION}.resnet34.html"),
    "mobilenet_v2": Entry(
        mobilenet_v2.MobileNetV2,
        mobilenet_v2.MOBILENET_V2,
        "3.504872",
        "0.30",
        f"{_TORCHVISION}.mobilenet_v2.html",
    ),
    "hrnet_w18_small_v1": Entry(
        hrnet.SegmentationHRNet, hrnet.W18_SMALL_V1, "1.5", "31.1", _HRNET_SEGMENTATION, GI
    ),
    "hrnet_w18_small_v2": Entry(
        hrnet.SegmentationHRNet, hrnet.W18_SMALL_V2, "3.9", "71.6", _HRNET_SEGMENTATION, GI
    ),
    "hrnet_w18_landmarks": Entry(
        hrnet.LandmarkHRNet, hrnet.W18_LANDMARKS, "9.3", "4.3", _HRNET_LANDMARKS, note=_BODY
    ),
    "hrnet_w32_pose": Entry(hrnet.PoseHRNet, hrnet.W32_POSE, "28.5", "7.1", _HRNET_POSE, GI),
    "ddrnet23_slim": Entry(ddrnet.DDRNet, ddrnet.DDRNET23_SLIM, "5.7", "36.3", _DDRNET, note=_BARE),
    "ddrnet23": Entry(ddrnet.DDRNet, ddrnet.DDRNET23, "20.1", "143.1", _DDRNET, note=_BARE),
    "ddrnet39": Entry(ddrnet.DDRNet, ddrnet.DDRNET39, "32.3", "281.2", _DDRNET, note=_BARE),
    "espcn_x2": Entry(espcn.ESPCN, espcn.ESPCN_X2, None, None, _ESPCN),
    "espcn_x3": Entry(espcn.ESPCN, espcn.ESPCN_X3, None, None, _ESPCN),
    "espcn_x4": Entry(espcn.ESPCN, espcn.ESPCN_X4, None, None, _ESPCN),
}


def names() -> tuple[str, ...]:
    """The names that `create` knows."""
    return tuple(ENTRIES)


def create(name: str, checkpoint: str | Path | None = None, num_classes: int | None = None) -> Model:
    """A network in eval mode, with `.config`: `.config.size` is the published (height, width) of its input.

    name: one of `names()`.
    checkpoint: a file of its release (see `checkpoint.load_checkpoint`); without one the weights are random.
    num_classes: classes, landmarks or joints; default those of the checkpoint, or else of the release.
    Raises `NetworkError` for an unknown name, and for a checkpoint that cannot be read or does not fit.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        near = get_close_matches(name.lower().replace("-", "_"), ENTRIES, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(ENTRIES)}"
        raise NetworkError(f"{name!r}: no such network; {hint}")
    config = entry.config
    parameters = None if checkpoint is None else read_checkpoint(checkpoint)
    if parameters and num_classes is None:
        num_classes = _classes(entry, parameters)
    if num_classes is not None:
        if config.num_classes is None:
            raise NetworkError(f"{name}: it has no classes, so num_classes cannot be given")
        if num_classes < 1:
            raise NetworkError(f"{name}: num_classes is {num_classes}; it must be at least 1")
        config = replace(config, num_classes=num_classes)
    with ExitStack() as stack:
        stack.enter_context(refused_as(NetworkError, f"{name}: cannot be built"))
        stack.enter_context(plain_defaults())
        if parameters is not None:  # which replace the random ones, so that no random number is used up
            stack.enter_context(torch.random.fork_rng(devices=[]))
        model = entry.build(config)
    if checkpoint is not None and parameters is not None:
        load_parameters(model, parameters, checkpoint)
    model.eval()
    return model


def _classes(entry: Entry, parameters: Mapping[str, Tensor]) -> int | None:
    """How many classes a checkpoint has; None where it is another network's, which loading then refuses."""
    last = parameters.get(entry.build.classes or "")
    return len(last) if last is not None and last.ndim and len(last) else None
