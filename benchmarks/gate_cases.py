"""The gate of regions on made clips whose scene is known: what it costs and misses.

    python benchmarks/gate_cases.py [SCHEME] [--seed N] [--only WORD]

The clips are those of tests/regions/made_clips.py. SCHEME: with the words of the rule, by default "w8a8
regions". For every clip, of the frames after the first:

    share    of pixels computed anew; `whole`: share of frames computed whole
    wrong    share of cells of 4×4 pixels whose mean, of the scene without noise, is more than 16 levels off
             what is held of it; `off`: more than 5
    blind    the most frames in a row for which half of a block's cells or more were 5 levels off
    oldest   the most frames that any pixel was not computed for
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from videoquant import Scheme
from videoquant.axes import Regions
from videoquant.regions import NativeGate
from videoquant.regions.gate import cell_sums

sys.path.insert(0, str(Path(__file__).parents[1]))  # the clips are the tests'

from tests.regions.made_clips import CLIPS, SIZE, Clip

WRONG, OFF = 16 * 16, 5 * 16  # of a cell's sum


def measure(rule: Regions, clip: Clip) -> dict[str, float]:
    """The figures above, by name."""
    gate = NativeGate(rule, SIZE, 3)
    state = gate.first()
    held = np.zeros((*SIZE, 3), np.uint8)
    age = np.zeros(SIZE, np.int64)
    shares, wholes, wrongs, offs = [], [], [], []
    rows, columns = SIZE[0] // 16, SIZE[1] // 16
    blind, blindest, oldest = np.zeros((rows, columns), np.int64), 0, 0
    for picture, scene in clip:
        region, state = gate.step(state, picture)
        fresh = region.mask(*SIZE)
        held = np.where(fresh[:, :, None], scene, held)
        age = np.where(fresh, 0, age + 1)
        by = np.abs(cell_sums(scene) - cell_sums(held)).max(2)
        blocks = (by > OFF).reshape(rows, 4, columns, 4).mean((1, 3)) >= 0.5
        blind = np.where(blocks, blind + 1, 0)
        blindest, oldest = max(blindest, int(blind.max())), max(oldest, int(age.max()))
        shares.append(fresh.mean())
        wholes.append(region.whole)
        wrongs.append((by > WRONG).mean())
        offs.append((by > OFF).mean())
    return {
        "share": float(np.mean(shares[1:])),
        "whole": float(np.mean(wholes[1:])),
        "wrong": float(np.mean(wrongs[1:])),
        "off": float(np.mean(offs[1:])),
        "blind": blindest,
        "oldest": oldest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scheme", nargs="?", default="w8a8 regions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    rule = Scheme.parse(options.scheme).regions
    if rule is None:
        parser.error(f"{options.scheme!r} has no regions")
    print(f"{'clip':32s}  share  whole   wrong     off  blind  oldest")
    for name, make in CLIPS.items():
        if options.only in name:
            share, whole, wrong, off, blind, oldest = measure(rule, make(options.seed)).values()
            print(
                f"{name:32s} {share:6.3f} {whole:6.3f} {wrong:7.4f} {off:7.4f} {blind:6.0f} {oldest:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
