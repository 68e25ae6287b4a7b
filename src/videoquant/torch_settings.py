"""What a caller has set in PyTorch changes nothing here, and is as it was afterwards.

Tensors are made with their dtype and device in words, since defaults belong to the whole process. What is set
for a thread is put aside where frames come in (`plain_math`). Only where modules are built or followed, which
make tensors as they please, the process's defaults are replaced for a while (`plain_defaults`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def plain_math() -> Iterator[None]:
    """Without autocast and inference mode: sums are float32's, and what is kept can be trained later."""
    with ExitStack() as stack:
        if torch.is_autocast_enabled("cpu"):
            stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
        yield


@contextmanager
def plain_defaults() -> Iterator[None]:
    """As `plain_math`, with new tensors of float32 on the CPU where nothing else is said."""
    dtype = torch.get_default_dtype()
    with plain_math(), torch.device("cpu"):
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def threads_of_pytorch(count: int | None) -> Iterator[None]:
    """With so many threads in PyTorch; as it was where `count` is None."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
