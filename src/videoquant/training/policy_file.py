"""The file of a policy: MobileNetV2's parameters, and in the header what it chooses among. No pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from videoquant.errors import NetworkError, refused_as
from videoquant.models.loading import capture_model
from videoquant.models.mobilenet_v2 import MOBILENET_V2, MobileNetV2
from videoquant.network.graph import Network
from videoquant.simulate.policy import PolicyNetwork
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.torch_file import check_tensors, read_tensors, write_tensors
from videoquant.training.choices import check_choices, choice_bops
from videoquant.typed_json import read

FORMAT = "videoquant policy 1"


def build(choices: int, size: tuple[int, int]) -> MobileNetV2:
    """A policy with random weights, in eval mode: N×3×height×width → logits N×choices.

    The last layer is 0, so that every choice begins equally likely. It has no dropout: its randomness is the
    Gumbel noise, which is a function of the seed.
    """
    module = MobileNetV2(replace(MOBILENET_V2, num_classes=choices, size=size, dropout=0.0)).eval()
    for parameter in module.classifier.parameters():
        nn.init.zeros_(parameter)
    return module


def policy_network(module: MobileNetV2, choices: Sequence[QuantizedNetwork]) -> PolicyNetwork:
    """A trained module with what it chooses among."""
    with torch.no_grad():
        policy = capture_model("policy", module.eval())
    return PolicyNetwork(policy, choices, choice_bops(choices))


def save_policy(path: Path, module: MobileNetV2, choices: Sequence[QuantizedNetwork]) -> None:
    """Write a policy, whole or not at all. Raises `OutputError`."""
    header = {
        "format": FORMAT,
        "size": json.dumps(module.config.size),
        "choices": json.dumps([_named(choice) for choice in choices]),
    }
    write_tensors(path, dict(module.state_dict()), header)


def load_policy(path: str | Path, choices: Sequence[QuantizedNetwork]) -> PolicyNetwork:
    """Read what `save_policy` wrote; it chooses as the saved one did.

    choices: the networks that it was trained for, in the same order. Raises `NetworkError` for a file that is
    missing, damaged or no policy, and for other networks or schemes.
    """
    path = Path(path)
    header, parameters = read_tensors(path, FORMAT, "policy", NetworkError)
    with refused_as(NetworkError, f"{path}: no policy, or damaged"):
        size, wanted = json.loads(header["size"]), json.loads(header["choices"])
        size = read(tuple[int, int], size, f"{path}: size", NetworkError)
        wanted = read(tuple[str, ...], wanted, f"{path}: choices", NetworkError)
    check_choices(choices)
    given = tuple(_named(choice) for choice in choices)
    if given != wanted:
        raise NetworkError(f"{path}: chooses among {'; '.join(wanted)}; given are {'; '.join(given)}")
    module = build(len(choices), size)
    check_tensors(parameters, module.state_dict(), str(path), NetworkError)
    module.load_state_dict(parameters)
    return policy_network(module, choices)


def _named(choice: QuantizedNetwork) -> str:
    network: Network = choice.network
    return f"{network.name} {choice.scheme}"
