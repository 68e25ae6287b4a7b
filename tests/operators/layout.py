"""Between a plan's arrays h×w×c and PyTorch's 1×C×H×W."""

import numpy as np
import torch


def nchw(x):
    return torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]


def nhwc(x):
    return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
