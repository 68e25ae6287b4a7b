"""The losses of training."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

KEPT = 16  # at least every 16th pixel is kept


def hard_cross_entropy(logits: Tensor, labels: Tensor, void: int, hard: float) -> Tensor:
    """Cross-entropy with online hard-example mining: the mean over the pixels that are hard, or the hardest.

    A pixel is hard where its class has a probability below `hard`; of the labelled pixels at least the
    hardest `1/KEPT` count. (The loss of the trainers of HRNet and DDRNet; Shrivastava et al., CVPR 2016.)

    logits: N×C×h×w, resized to the labels (bilinear, half-pixel centres).
    labels: int64 N×H×W; `void` counts nowhere.

    Without labelled pixels it is 0.
    """
    logits = F.interpolate(logits.float(), labels.shape[-2:], mode="bilinear", align_corners=False)
    losses = F.cross_entropy(logits, labels, ignore_index=void, reduction="none")  # 0 where void
    labelled = int((labels != void).sum())
    if not labelled or hard >= 1:
        return losses.sum() / max(1, labelled)
    # The probability of the right class is exp(−loss): below `hard` where the loss is above −log(hard).
    mined = losses > -math.log(hard)
    count, least = int(mined.sum()), max(1, labelled // KEPT)
    if count >= least:
        return (losses * mined).sum() / count
    return losses.flatten().topk(least).values.mean()


def relative_error(outputs: Tensor, reference: Tensor) -> Tensor:
    """The squared error of outputs over the variance of the reference: 0 where they agree, 1 for its mean.

    The loss of distillation, the same for every task.
    outputs, reference: of one shape.
    """
    reference = reference.float()
    return (outputs.float() - reference).square().mean() / reference.var(correction=0).clamp_min(1e-12)
