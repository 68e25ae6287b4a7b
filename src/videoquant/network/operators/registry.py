"""Where the operators of all families enter themselves."""

from collections.abc import Callable

from torch import Tensor

OPERATORS: dict[str, Callable[..., Tensor]] = {}

# What they compute for one index of the first dimension depends on no other; from so many dimensions on.
BY_ROW: dict[str, int] = {}


def operator(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    OPERATORS[function.__name__] = function
    return function


def by_row(dimensions: int) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Says of an operator that it treats rows alike; see `BY_ROW`."""

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        BY_ROW[function.__name__] = dimensions
        return operator(function)

    return enter
