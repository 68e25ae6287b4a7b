"""Hard-example mining against its definition, written out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.training.losses import KEPT, hard_cross_entropy, relative_error

VOID = 5


def by_definition(logits, labels, hard):
    """Pixel by pixel in float64."""
    losses = []
    for n, y, x in np.ndindex(*labels.shape):
        label = int(labels[n, y, x])
        if label != VOID:
            scores = logits[n, :, y, x].double()
            losses.append(float(torch.logsumexp(scores, 0) - scores[label]))
    if not losses:
        return 0.0
    losses.sort(reverse=True)
    least = max(1, len(losses) // KEPT)
    kept = [loss for loss in losses if loss > -math.log(hard)] if hard < 1 else losses
    return float(np.mean(kept if len(kept) >= least else losses[:least]))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.floats(0.1, 10))
def test_it_is_what_its_definition_says(seed, hard, gain):
    random = torch.Generator().manual_seed(seed)
    logits = gain * torch.randn(2, VOID, 6, 5, generator=random)
    labels = torch.randint(0, VOID + 1, (2, 6, 5), generator=random)
    loss = hard_cross_entropy(logits, labels, VOID, hard)
    assert float(loss) == pytest.approx(by_definition(logits, labels, hard), rel=1e-4, abs=1e-5)


def test_logits_are_resized_to_the_labels():
    logits = torch.randn(1, 3, 2, 2)
    larger = torch.nn.functional.interpolate(logits, (8, 8), mode="bilinear")
    labels = torch.randint(0, 3, (1, 8, 8))
    assert hard_cross_entropy(logits, labels, VOID, 0.9) == hard_cross_entropy(larger, labels, VOID, 0.9)


def test_without_labelled_pixels_it_is_nothing_and_has_a_gradient():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = hard_cross_entropy(logits, torch.full((1, 4, 4), VOID), VOID, 0.9)
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_a_reference_counts_by_how_much_it_varies():
    reference = 1000 + torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(relative_error(reference, reference)) == 0
    mean = torch.full_like(reference, float(reference.mean()))
    assert float(relative_error(mean, reference)) == pytest.approx(1, rel=1e-3)
