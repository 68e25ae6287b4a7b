"""How a network is trained, as a value: everything that decides the result besides the data and the seed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from videoquant.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of one training. `for_task` has the defaults of a task.

    epochs: passes over the data; an epoch holds `repeats` crops of every picture.
    batch: crops per step, over all processes.
    crop: (height, width) of a training input in pixels; of super-resolution, at the low resolution.
    scales: bounds of the random scale, drawn log-uniformly.
    jitter: the most by which brightness, contrast and saturation are multiplied or divided, as a share: 0.3
        is ×1/1.3 to ×1.3.
    optimizer: "adamw", or "sgd" with momentum 0.9.
    learning_rate: at its peak.
    weight_decay: of weights, not of biases and batch norm.
    schedule: "cosine", or "poly" with power 0.9, both down to 0.
    warmup: share of the steps before the peak.
    ema: decay of the averaged weights per step; those are what is kept and scored.
    hard: hard-example mining (`losses.hard_cross_entropy`): pixels whose class has at least this probability
        are left out; 1 keeps all.
    auxiliary: weight of the loss of an extra head (DDRNet's).
    precision: "bf16" runs the network in bfloat16 under autocast, weights and loss stay in "fp32".
    seed: of the weights, the order of pictures and all augmentation.
    """

    epochs: int
    batch: int
    crop: tuple[int, int]
    repeats: int = 1
    scales: tuple[float, float] = (1.0, 1.0)
    jitter: float = 0.0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    schedule: Literal["cosine", "poly"] = "cosine"
    warmup: float = 0.03
    ema: float = 0.999
    hard: float = 1.0
    auxiliary: float = 0.4
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        checks = {
            "epochs": self.epochs >= 1,
            "batch": self.batch >= 1,
            "crop": len(self.crop) == 2 and min(self.crop) >= 1,
            "repeats": self.repeats >= 1,
            "scales": len(self.scales) == 2 and 0 < self.scales[0] <= self.scales[1] < math.inf,
            "jitter": 0 <= self.jitter < math.inf,
            "optimizer": self.optimizer in ("adamw", "sgd"),
            "learning_rate": 0 < self.learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "schedule": self.schedule in ("cosine", "poly"),
            "warmup": 0 <= self.warmup < 1,
            "ema": 0 <= self.ema < 1,
            "hard": 0 < self.hard <= 1,
            "auxiliary": 0 <= self.auxiliary < math.inf,
            "precision": self.precision in ("fp32", "bf16"),
            "seed": self.seed >= 0,
        }
        for name, holds in checks.items():
            if not holds:
                raise DataError(f"recipe: {name} is {getattr(self, name)!r}, which is out of range")

    @classmethod
    def for_task(cls, task: str, frame: tuple[int, int], **given: Any) -> Self:
        """The usual recipe of "segmentation" or "super-resolution".

        frame: (height, width) of the data, the crop of segmentation where none is given. given: settings that
        replace the usual ones; None keeps those. Raises `DataError` for another task.
        """
        if task not in _DEFAULTS:
            raise DataError(f"there is no training for {task}; there is for {', '.join(_DEFAULTS)}")
        settings: dict[str, Any] = {"crop": frame, **_DEFAULTS[task]}
        return cls(**settings | {name: value for name, value in given.items() if value is not None})

    @classmethod
    def for_scheme(cls, task: str | None, frame: tuple[int, int], **given: Any) -> Self:
        """The usual recipe of quantization-aware training; task is None for distillation. See `for_task`."""
        settings: dict[str, Any] = {"crop": frame, **_TUNING, **_TUNING_OF.get(task, {})}
        settings |= {name: value for name, value in given.items() if value is not None}
        settings.setdefault("learning_rate", _TUNING_RATE * settings["batch"])
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: tuples become lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step (from 0) of `steps`: linear warm-up, then the schedule down to 0."""
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        share = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else (1 - done) ** 0.9
        return self.learning_rate * share


# Segmentation: scales, flips and mining as the trainers of HRNet and DDRNet have them; AdamW, because those
# start from ImageNet and this from nothing. Super-resolution: crops are small, so a picture gives many.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "segmentation": {"epochs": 200, "batch": 8, "scales": (0.5, 2.0), "jitter": 0.3, "hard": 0.9},
    "super-resolution": {
        "epochs": 100,
        "batch": 16,
        "crop": (20, 20),
        "repeats": 192,
        "weight_decay": 0.0,
    },
}

# Quantization-aware training starts from weights that are nearly right, so it is short; nothing decays, since
# that would pull the weights of low bits from their codes.
_TUNING: dict[str, Any] = {
    "epochs": 20,
    "batch": 4,
    "weight_decay": 0.0,
    "ema": 0.99,
}
_TUNING_RATE = 2.5e-4 / 6  # per clip of a step: fewer clips know less of where to go, so they go less far
_TUNING_OF: dict[str | None, dict[str, Any]] = {
    "segmentation": {"scales": (0.6, 1.5), "jitter": 0.3, "hard": 0.9},
    "super-resolution": {"crop": (40, 40), "batch": 16, "repeats": 24},
}
