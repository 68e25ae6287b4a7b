"""Reductions in the middle of a network: over maps, channels, columns."""

import torch

from tests.operators.tables import Zoo, in_zoo


@in_zoo
class Reductions(Zoo):
    """Least values and sums, with the dimensions kept and without; and channels in another order."""

    def middle(self, x):
        x = x * torch.sigmoid(x.amin((2, 3), keepdim=True)) + x.amin(1, keepdim=True)
        x = x - x.amin(3, keepdim=True) * x.amin((2, 3))[:, :, None, None].sigmoid()
        x = x / (1 + x.abs().sum(1, keepdim=True) + x.abs().sum((1, 3))[:, None, :, None])
        return x.index_select(1, torch.tensor([1, 0, 3, 2, 5, 4, 7, 6]))
