"""A region in a map of any size, beside the definition pixel by pixel."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.regions import Region


def by_definition(blocks, size, block, height, width, grow):
    """Whether any block meets the window of a map's pixel, or of one at most `grow` away."""
    inside = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            rows = range(y * size[0] // height, math.ceil((y + 1) * size[0] / height))
            columns = range(x * size[1] // width, math.ceil((x + 1) * size[1] / width))
            inside[y, x] = any(blocks[i // block, j // block] for i in rows for j in columns)
    grown = np.zeros_like(inside)
    for y, x in np.argwhere(inside):
        grown[max(0, y - grow) : y + grow + 1, max(0, x - grow) : x + grow + 1] = True
    return grown


lengths = st.integers(1, 40)


@given(lengths, lengths, lengths, lengths, st.sampled_from([8, 12, 16]), st.integers(0, 3), st.randoms())
def test_the_mask_is_what_the_definition_says(rows, columns, height, width, block, grow, random):
    blocks = np.zeros((-(-rows // block), -(-columns // block)), bool)
    for place in np.ndindex(blocks.shape):
        blocks[place] = random.random() < 0.3
    region = Region(blocks, False, False, (rows, columns), block)
    expected = by_definition(blocks, (rows, columns), block, height, width, grow)
    assert np.array_equal(region.mask(height, width, grow), expected)
    assert region.share == region.mask(rows, columns).mean()
