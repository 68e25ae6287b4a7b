"""VideoIQ: trains the policy that picks a quantized network for each frame.

Sun et al., Dynamic Network Quantization for Efficient Video Inference, ICCV 2021; for segmentation as in the
supplement of ResQ (Abati et al., ICCV 2023). A MobileNetV2 sees the frame and gives a logit per choice k;
with Gumbel noise g and temperature τ

    p = softmax((logits + g)/τ), in the forward pass the one-hot vector of its largest entry
    loss = mean over pictures i and samples of g of Σ_k p_k (L[i, k] + λ · B[k])

B[k]: the bit operations of a choice over those of the most costly. L[i, k]: the task loss. The choices are
frozen, so that L is a table which is computed once (`loss_table`). A sample of g then costs next to nothing,
and each picture has `SAMPLES` of them in a step, against the noise of a single one. Pictures are mirrored at
random, with the losses of the mirror image, and changed in no other way: then the table would not hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from videoquant.calibration.sampling import starts
from videoquant.data.dataset import Dataset
from videoquant.errors import CalibrationWarning, DataError
from videoquant.models.loading import load
from videoquant.models.mobilenet_v2 import MobileNetV2
from videoquant.models.unfold import load_folded
from videoquant.simulate.policy import PolicyNetwork, policy_input
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.training.choices import check_choices, choice_bops, fingerprint
from videoquant.training.loss_table import loss_table
from videoquant.training.objectives import Objective
from videoquant.training.policy_file import build, policy_network, save_policy
from videoquant.training.processes import Processes
from videoquant.training.recipe import Recipe
from videoquant.training.trainer import Trainer

LOSSES_FILE, POLICY_FILE = "losses.safetensors", "policy.safetensors"
# What a policy sees: small, as VideoIQ's (84×84), since it has to cost little beside what it chooses among.
SIZE = (96, 128)
SAMPLES = 64  # of the choice, per picture and step
STATISTICS = 32  # pictures that give batch norm its statistics where pretrained weights come without


def policy_recipe(**given: Any) -> Recipe:
    """The usual recipe of a policy; `crop` is the (height, width) that it sees.

    given: fields of `Recipe` that replace the usual ones.
    """
    usual: dict[str, Any] = {"epochs": 30, "batch": 16, "crop": SIZE, "learning_rate": 3e-4, "ema": 0.99}
    return Recipe(**usual | given)


def train_policy(
    choices: Sequence[QuantizedNetwork],
    dataset: Dataset,
    folder: Path,
    *,
    tradeoff: float,
    temperature: float = 1.0,
    recipe: Recipe | None = None,
    initial: Path | None = None,
    losses: Path | None = None,
    resume: bool = False,
    among: Processes | None = None,
    on_step: Callable[[], None] | None = None,
) -> PolicyNetwork:
    """Train a policy; a function of the recipe's seed. Writes `POLICY_FILE` into the folder.

    choices: forms of one network quantized frame by frame, e.g. at 8, 4, 3 and 2 bits.
    dataset: labelled.
    folder: exists; the state of the training is kept there too.
    tradeoff: λ, what the most costly choice is charged, in units of the task loss; 0 or more.
    temperature: τ of the Gumbel-softmax.
    recipe: default `policy_recipe()`.
    initial: an ImageNet MobileNetV2 as ONNX, batch norm folded, whose body the policy starts from; default
        random weights.
    losses: the file of the loss table, default `LOSSES_FILE` in the folder; it is the same for every λ.
    resume: go on with the training in the folder, to the same result.
    among, on_step: see `Trainer`.
    Raises `DataError`, `SchemeError` and `NetworkError` for choices, data, weights and settings that do not
    fit, and `KeyboardInterrupt` where Ctrl-C stopped it, its state saved.
    """
    if not (0 <= tradeoff < float("inf") and 0 < temperature < float("inf")):
        raise DataError(
            f"tradeoff is {tradeoff:g} and temperature {temperature:g}; they are at least 0, and above 0"
        )
    check_choices(choices)
    among = among or Processes(0, 1, torch.device("cpu"))
    recipe = recipe or policy_recipe()
    table = loss_table(choices, dataset, losses or folder / LOSSES_FILE)
    torch.manual_seed(recipe.seed)
    module = build(len(choices), recipe.crop)
    objective = PolicyObjective(dataset, recipe, choices, table, tradeoff, temperature)
    objective.warn_without_choice()
    if initial is not None:
        count = min(STATISTICS, len(dataset))
        seen = [objective.pair(i)[0] for i in starts(len(dataset), count)]
        load_folded(module, load(initial), torch.from_numpy(np.stack(seen)))
    setup = {
        "policy": {
            "choices": fingerprint(choices),
            "tradeoff": tradeoff,
            "temperature": temperature,
            "initial": initial.name if initial else None,
        },
        "data": f"{dataset.name}#{dataset.split}, {len(dataset)} pictures",
    }
    trainer = Trainer(module, objective, folder, among, resume, setup)
    if not trainer.run(on_step=on_step):
        raise KeyboardInterrupt
    trained = trainer.average.cpu()
    assert isinstance(trained, MobileNetV2)
    if among.is_first:
        save_policy(folder / POLICY_FILE, trained, choices)
    return policy_network(trained, choices)


@dataclass
class PolicyObjective(Objective):
    """Pictures as the policy sees them, and the losses of the choices.

    losses: N×2×K of the data set's pictures in order; see `loss_table`.
    """

    dataset: Dataset
    recipe: Recipe
    choices: Sequence[QuantizedNetwork]
    losses: Tensor
    tradeoff: float
    temperature: float

    @property
    def name(self) -> str:  # type: ignore[override]  # read only here
        return f"{self.dataset.name}#{self.dataset.split}"

    def __len__(self) -> int:
        return len(self.dataset)

    def pair(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """What the policy sees of a picture, float32 3×h×w, and the picture's losses, float32 2×K."""
        x = self.choices[0].network.prepare(self.dataset[index].pixels)
        return policy_input(x, self.recipe.crop)[0].contiguous().numpy(), self.losses[index].numpy()

    def example(
        self, pair: tuple[NDArray[Any], NDArray[Any]], random: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The picture or its mirror image; then its losses and `SAMPLES` of Gumbel noise, a K each."""
        seen, losses = pair
        mirrored = int(random.integers(2))
        noise = random.gumbel(size=(SAMPLES, losses.shape[1])).astype(np.float32)
        return (seen[:, :, ::-1] if mirrored else seen), np.concatenate([losses[mirrored, None], noise])

    def collate(self, examples: list[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Tensor, Tensor]:
        """Inputs N×3×h×w and targets N×(1 + SAMPLES)×K."""
        inputs, targets = (np.stack(part) for part in zip(*examples, strict=True))
        return torch.from_numpy(inputs), torch.from_numpy(targets)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        losses, noise = targets[:, :1], targets[:, 1:]
        chosen = straight_through(outputs.float()[:, None], noise, self.temperature)
        return (chosen * (losses + self.tradeoff * self._costs.to(losses))).sum(-1).mean()

    def warn_without_choice(self) -> None:
        """Warn (`CalibrationWarning`) where one choice is the best of every picture."""
        best = set((self.losses + self.tradeoff * self._costs).argmin(-1).flatten().tolist())
        if len(best) == 1:
            message = (
                f"{self.name}: {self.choices[best.pop()].scheme} is the best choice for every picture, so "
                "the policy learns to take it whatever it sees; train on others too, or change the tradeoff"
            )
            warnings.warn(message, CalibrationWarning, stacklevel=3)

    @cached_property
    def _costs(self) -> Tensor:
        bops = torch.tensor(choice_bops(self.choices), dtype=torch.float32, device="cpu")
        return bops / bops.max()


def straight_through(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """A one-hot sample of softmax(logits), …×K, whose gradient is that of the Gumbel-softmax.

    noise: drawn from the standard Gumbel distribution, …×K. (Jang et al., Categorical Reparameterization with
    Gumbel-Softmax, ICLR 2017.)
    """
    soft = ((logits + noise) / temperature).softmax(-1)
    hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
    return hard - soft.detach() + soft
