"""How much memory a file may ask for, so that a damaged or hostile one is refused before it takes any.

A file of a few kilobytes can state a tensor of many gigabytes. Readers count what a file asks for with
`check_size` before they allocate it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from videoquant.errors import VideoQuantError

GIB = 1 << 30
DEFAULT_GIB = 4.0  # an 8-bit network of four billion of weights; those that run on CPUs have thousandths

_limit: ContextVar[float] = ContextVar("size_limit", default=DEFAULT_GIB * GIB)


@contextmanager
def size_limit(gib: float) -> Iterator[None]:
    """Within the block a file may ask for `gib` GiB of memory (2³⁰ bytes); `float("inf")` for no limit.

    The limit outside a block is `DEFAULT_GIB`; commands take it as `videoquant --size-limit GIB COMMAND`.
    """
    if not gib >= 0:
        raise VideoQuantError(f"the size limit is {gib} GiB; it must be 0 or more")
    token = _limit.set(gib * GIB)
    try:
        yield
    finally:
        _limit.reset(token)


def check_size(size: float, what: str, error: type[VideoQuantError]) -> None:
    """Raise `error` where `what` asks for `size` bytes and the limit is below that.

    what: begins the message, such as "pose.onnx: constant 'w1'".
    """
    if size > _limit.get():
        raise error(
            f"{what} asks for {size / GIB:.3g} GiB, above the limit of {_limit.get() / GIB:.3g} GiB; "
            "if that is right, raise it: `videoquant --size-limit GIB COMMAND`, or videoquant.size_limit(GIB)"
        )
