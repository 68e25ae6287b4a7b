"""What following changes could save inside regions: codes, and pixels of layers, that nothing changes.

    python benchmarks/still_in_regions.py PLAN CLIP FIRST COUNT

Of frames that are not whole: the share of the codes inside the region that stay what they were, and of the
convolutions' multiply–accumulates there those of output pixels in whose window no code changes, which mode
exact would leave out. Printed with the share of multiply–accumulates that the region takes.
"""

from __future__ import annotations

import numpy as np
import torch
from clip_arguments import chosen_frames, clip_parser  # beside this script
from torch.nn import functional

import videoquant as vq
from videoquant.runtime.program import Op


def seen(op: Op, changed: np.ndarray) -> np.ndarray:
    """Which output pixels of a convolution have a changed one of its input (bool h×w) in their window."""
    (rows, columns), (top, left, bottom, right) = op.attrs["kernel"], op.attrs["padding"]
    padded = functional.pad(torch.from_numpy(changed).float()[None, None], (left, right, top, bottom))
    return (
        functional.max_pool2d(padded, (rows, columns), op.attrs["stride"], dilation=op.attrs["dilation"])[
            0, 0
        ].numpy()[: op.h, : op.w]
        > 0
    )


def main() -> None:
    options = clip_parser(__doc__, "plan").parse_args()
    plan = vq.load_plan(options.plan)
    layers = [op for op in plan.programs["key"].ops if op.kind == "conv" and op.h * op.w > 1]
    read = sorted({op.inputs[0] for op in layers})
    stream = plan.stream("regions")
    before: dict[int, np.ndarray] = {}
    codes = still = whole = macs = left = 0.0
    for frame in chosen_frames(options):
        stream.run(frame)
        now = {index: stream._session.slot(index).copy() for index in read}
        region = stream.region
        assert region is not None
        if not region.whole and before:
            changed = {index: now[index] != before[index] for index in read}
            for index in read:
                inside = region.mask(*now[index].shape[:2])
                codes += inside.sum() * now[index].shape[2]
                still += inside.sum() * now[index].shape[2] - changed[index][inside].sum()
            for op in layers:
                inside = region.mask(op.h, op.w)
                each = op.c * op.tensors["weight"][0].size
                whole += op.h * op.w * each
                macs += inside.sum() * each
                left += (inside & ~seen(op, changed[op.inputs[0]].any(2))).sum() * each
        before = {} if region.moving else now
    print(
        f"region {macs / whole:.3f} of the MACs; inside it {still / codes:.3f} of the codes do not change, "
        f"and {left / macs:.3f} of the MACs see none that does"
    )


if __name__ == "__main__":
    main()
