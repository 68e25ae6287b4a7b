"""Parameters have the names and shapes of the official releases, so that their checkpoints load."""

from __future__ import annotations

import re
from itertools import product

import pytest
import torch
from torch import Tensor

from videoquant.models.registry import ENTRIES


def state_of(name: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return ENTRIES[name].build(ENTRIES[name].config).state_dict()


# Names and shapes as the releases' own code gives them, one or more of each kind of place.
OFFICIAL: dict[str, dict[str, tuple[int, ...]]] = {
    "resnet18": {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_mean": (64,),
        "layer1.1.conv2.weight": (64, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer4.0.downsample.1.running_var": (512,),
        "fc.weight": (1000, 512),
    },
    "resnet34": {"layer3.5.bn2.weight": (256,), "layer4.2.conv1.weight": (512, 512, 3, 3)},
    "mobilenet_v2": {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.bias": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.1.weight": (96,),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.17.conv.3.running_mean": (320,),
        "features.18.0.weight": (1280, 320, 1, 1),
        "classifier.1.bias": (1000,),
    },
    "hrnet_w18_small_v1": {
        "layer1.0.conv1.weight": (32, 64, 1, 1),
        "layer1.0.downsample.0.weight": (128, 64, 1, 1),
        "transition1.0.0.weight": (16, 128, 3, 3),
        "transition1.1.0.0.weight": (32, 128, 3, 3),
        "stage4.0.fuse_layers.3.0.2.0.weight": (128, 16, 3, 3),
        "last_layer.0.weight": (240, 240, 1, 1),
        "last_layer.3.weight": (19, 240, 1, 1),
    },
    "hrnet_w18_small_v2": {
        "layer1.1.conv3.weight": (256, 64, 1, 1),
        "stage3.2.branches.2.1.bn2.weight": (72,),
        "stage4.1.fuse_layers.0.3.1.weight": (18,),
        "last_layer.1.running_var": (270,),
    },
    "hrnet_w18_landmarks": {
        "conv2.weight": (64, 64, 3, 3),
        "stage4.2.branches.3.3.conv2.weight": (144, 144, 3, 3),
        "head.0.bias": (270,),
        "head.3.weight": (98, 270, 1, 1),
    },
    "hrnet_w32_pose": {
        "layer1.3.bn3.weight": (256,),
        "transition2.2.0.0.weight": (128, 64, 3, 3),
        "transition3.3.0.1.weight": (256,),
        "stage2.0.fuse_layers.1.0.0.0.weight": (64, 32, 3, 3),
        "stage3.3.fuse_layers.2.0.0.0.weight": (32, 32, 3, 3),
        "stage3.3.fuse_layers.2.0.1.1.weight": (128,),
        "stage4.2.fuse_layers.0.3.0.weight": (32, 256, 1, 1),
        "final_layer.weight": (17, 32, 1, 1),
    },
    "ddrnet23_slim": {
        "conv1.0.bias": (32,),
        "conv1.4.weight": (32,),
        "layer2.0.downsample.0.weight": (64, 32, 1, 1),
        "layer3_.1.conv2.weight": (64, 64, 3, 3),
        "compression3.0.weight": (64, 128, 1, 1),
        "down3.1.running_mean": (128,),
        "down4.3.weight": (256, 128, 3, 3),
        "layer5_.0.downsample.0.weight": (128, 64, 1, 1),
        "layer5.0.conv3.weight": (512, 256, 1, 1),
        "spp.scale0.2.weight": (128, 512, 1, 1),
        "spp.scale4.3.weight": (128, 512, 1, 1),
        "spp.scale1.1.bias": (512,),
        "spp.process4.2.weight": (128, 128, 3, 3),
        "spp.compression.2.weight": (128, 640, 1, 1),
        "spp.shortcut.0.weight": (512,),
        "seghead_extra.bn1.weight": (64,),
        "final_layer.conv1.weight": (64, 128, 3, 3),
        "final_layer.conv2.bias": (19,),
    },
    "ddrnet23": {"final_layer.conv1.weight": (128, 256, 3, 3), "layer4_.1.bn2.weight": (128,)},
    "ddrnet39": {
        "layer3_1.2.conv2.weight": (256, 256, 3, 3),
        "layer3_2.0.conv1.weight": (256, 256, 3, 3),
        "layer3_1_.2.conv1.weight": (128, 128, 3, 3),
        "layer3_2_.0.conv1.weight": (128, 128, 3, 3),
        "compression3_2.0.weight": (128, 256, 1, 1),
        "down3_1.0.weight": (256, 128, 3, 3),
        "layer4_.2.conv1.weight": (128, 128, 3, 3),
        "seghead_extra.conv1.weight": (256, 128, 3, 3),
    },
    "espcn_x3": {"conv1.weight": (64, 1, 5, 5), "conv2.bias": (32,), "conv3.weight": (9, 32, 3, 3)},
}

# What the releases do not have: projections of identity shortcuts, paths to outputs that are not made.
ABSENT = {
    "resnet18": ("layer1.0.downsample.0.weight",),
    "mobilenet_v2": ("features.1.conv.3.weight",),
    "hrnet_w18_small_v1": ("transition2.0.0.weight", "stage2.0.fuse_layers.0.0.0.weight"),
    "hrnet_w32_pose": ("stage4.2.fuse_layers.1.0.0.0.weight",),
    "ddrnet39": ("layer3.0.conv1.weight", "compression3.0.weight"),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_names_and_shapes_are_those_of_the_releases(name: str) -> None:
    state = state_of(name)
    assert {key: tuple(state[key].shape) for key in OFFICIAL[name]} == OFFICIAL[name]
    assert not state.keys() & set(ABSENT.get(name, ()))


def expand(patterns: str) -> set[str]:
    """ "a{1,2}.w b" → {"a1.w", "a2.w", "b"}: what a shell makes of braces."""
    names = set()
    for pattern in patterns.split():
        parts = [part.split(",") for part in re.split(r"[{}]", pattern)]
        names |= {"".join(chosen) for chosen in product(*parts)}
    return names


# Every convolution or linear layer, those of them that have a bias, and every batch norm of a release.
ALL_LAYERS = {
    "resnet18": (
        "conv1 layer{1,2,3,4}.{0,1}.conv{1,2} layer{2,3,4}.0.downsample.0 fc",
        "fc",
        "bn1 layer{1,2,3,4}.{0,1}.bn{1,2} layer{2,3,4}.0.downsample.1",
    ),
    "mobilenet_v2": (
        "features.{0,18}.0 features.1.conv.{0.0,1} classifier.1"
        " features.{2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}.conv.{0.0,1.0,2}",
        "classifier.1",
        "features.{0,18}.1 features.1.conv.{0.1,2}"
        " features.{2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}.conv.{0.1,1.1,3}",
    ),
    "hrnet_w18_small_v1": (
        "conv{1,2} layer1.0.{conv1,conv2,conv3,downsample.0} transition1.{0,1.0}.0 transition{2.2,3.3}.0.0"
        " stage2.0.branches.{0,1}.{0,1}.conv{1,2} stage3.0.branches.{0,1,2}.{0,1}.conv{1,2}"
        " stage4.0.branches.{0,1,2,3}.{0,1}.conv{1,2} stage{2,3,4}.0.fuse_layers.{0.1,1.0.0}.0"
        " stage{3,4}.0.fuse_layers.{0.2,1.2,2.1.0,2.0.0,2.0.1}.0"
        " stage4.0.fuse_layers.{0.3,1.3,2.3,3.2.0,3.1.0,3.1.1,3.0.0,3.0.1,3.0.2}.0 last_layer.{0,3}",
        "last_layer.{0,3}",
        "bn{1,2} layer1.0.{bn1,bn2,bn3,downsample.1} transition1.{0,1.0}.1 transition{2.2,3.3}.0.1"
        " stage2.0.branches.{0,1}.{0,1}.bn{1,2} stage3.0.branches.{0,1,2}.{0,1}.bn{1,2}"
        " stage4.0.branches.{0,1,2,3}.{0,1}.bn{1,2} stage{2,3,4}.0.fuse_layers.{0.1,1.0.0}.1"
        " stage{3,4}.0.fuse_layers.{0.2,1.2,2.1.0,2.0.0,2.0.1}.1"
        " stage4.0.fuse_layers.{0.3,1.3,2.3,3.2.0,3.1.0,3.1.1,3.0.0,3.0.1,3.0.2}.1 last_layer.1",
    ),
    "ddrnet23_slim": (
        "conv1.{0,3} layer{1,2,3,3_,4,4_}.{0,1}.conv{1,2} layer{2,3,4,5,5_}.0.downsample.0"
        " layer{5,5_}.0.conv{1,2,3} compression{3,4}.0 down{3.0,4.0,4.3}"
        " spp.scale{0.2,1.3,2.3,3.3,4.3} spp.process{1,2,3,4}.2 spp.{compression,shortcut}.2"
        " {final_layer,seghead_extra}.conv{1,2}",
        "conv1.{0,3} {final_layer,seghead_extra}.conv2",
        "conv1.{1,4} layer{1,2,3,3_,4,4_}.{0,1}.bn{1,2} layer{2,3,4,5,5_}.0.downsample.1"
        " layer{5,5_}.0.bn{1,2,3} compression{3,4}.1 down{3.1,4.1,4.4}"
        " spp.scale{0.0,1.1,2.1,3.1,4.1} spp.process{1,2,3,4}.0 spp.{compression,shortcut}.0"
        " {final_layer,seghead_extra}.bn{1,2}",
    ),
}


@pytest.mark.parametrize("name", ALL_LAYERS)
def test_there_are_no_other_names_than_those_of_the_release(name: str) -> None:
    weights, biases, norms = map(expand, ALL_LAYERS[name])
    expected = {f"{layer}.weight" for layer in weights} | {f"{layer}.bias" for layer in biases}
    for tensor in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        expected |= {f"{norm}.{tensor}" for norm in norms}
    assert state_of(name).keys() == expected
