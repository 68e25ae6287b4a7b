"""Bilinear resizing with antialiasing, as PyTorch has it on CPUs: slow, and simple enough to read.

The whole-number form is Pillow-SIMD's: weights of 16 bits, and every pass rounds to a byte.
"""

import numpy as np


def triangles(size, to, kind):
    """By output, where its inputs begin, and their weights, computed in `kind`.

    In float32 the halves are double, as PyTorch's are, and so is what they are added to before it is rounded.
    """
    half = np.float64(0.5)
    scale = kind(size) / kind(to)
    support = max(scale, kind(1))
    narrowing = kind(1) / scale if scale >= 1 else kind(1)
    found = []
    for i in range(to):
        centre = kind(scale * (i + half))
        start = max(int(centre - support + half), 0)
        end = min(int(centre + support + half), size)
        distances = np.abs(((np.arange(start, end).astype(kind) - centre + half) * narrowing).astype(kind))
        weights = np.where(distances < 1, kind(1) - distances, kind(0))
        total = kind(0)
        for weight in weights:
            total += weight
        found.append((start, weights / total))
    return found


def whole_triangles(size, to):
    """The same with whole numbers: bits, and by output where its inputs begin and their weights · 2^bits."""
    exact = triangles(size, to, np.float64)
    largest = max(weights.max() for _, weights in exact)
    bits = 0
    while bits < 22 and int(0.5 + largest * 2 ** (bits + 1)) < 2**15:
        bits += 1
    return bits, [(start, np.floor(weights * 2**bits + 0.5).astype(np.int64)) for start, weights in exact]


def columns_rgb(picture, to):
    bits, axis = whole_triangles(picture.shape[0], to)
    rows = [
        np.tensordot(weights, picture[start : start + len(weights)].astype(np.int64), 1) + 2 ** (bits - 1)
        >> bits
        for start, weights in axis
    ]
    return np.stack(rows).clip(0, 255).astype(np.uint8)


def columns_plane(plane, to):
    """Taps after the first are added in order: those in whole groups of four after rounding, others fused."""
    rows = []
    for start, weights in triangles(plane.shape[0], to, np.float32):
        total = plane[start] * weights[0]
        for j in range(1, len(weights)):
            if j < 1 + (len(weights) - 1) // 4 * 4:
                total = total + plane[start + j] * weights[j]
            else:  # rounded once: long double holds the product and the sum of what these tests give
                wide = np.longdouble
                total = (wide(1) * plane[start + j] * wide(weights[j]) + total).astype(np.float32)
        rows.append(total)
    return np.stack(rows)


def resize(picture, size, columns):
    """columns: `columns_rgb` for uint8 H×W×3, `columns_plane` for float32 H×W."""
    if picture.shape[1] != size[1]:
        picture = columns(picture.swapaxes(0, 1), size[1]).swapaxes(0, 1)
    return columns(picture, size[0]) if picture.shape[0] != size[0] else picture
