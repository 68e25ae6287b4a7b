"""Regions drawn from a seed, in place of a gate's: some blocks, none, all, and whole frames in stretches."""

from dataclasses import dataclass

import numpy as np

from videoquant.regions.region import Region


@dataclass(frozen=True)
class DrawnState:
    frame: int = 0
    bytes: int = 0


class DrawnGate:
    """Gives the same regions to every stream that asks from its first frame on."""

    def __init__(self, regions, size, seed, count=64):
        self.regions, self.size = regions, size
        draw = np.random.default_rng(seed)
        shape = tuple(-(-side // regions.block) for side in size)
        self.drawn = [self._whole(shape, False)]
        while len(self.drawn) < count:
            kind = draw.choice(["some", "some", "few", "none", "stay", "all", "whole", "moving"])
            if kind == "moving":  # and ends with one that is whole
                self.drawn += [self._whole(shape, True)] * int(draw.integers(1, 4)) + [
                    self._whole(shape, False)
                ]
            elif kind == "whole":
                self.drawn.append(self._whole(shape, False))
            elif kind == "stay":
                self.drawn.append(self.drawn[-1] if not self.drawn[-1].moving else self._whole(shape, False))
            else:
                share = {"some": draw.uniform(0.1, 0.9), "few": 0.05, "none": 0, "all": 1}[kind]
                self.drawn.append(Region(draw.random(shape) < share, False, False, size, regions.block))

    def _whole(self, shape, moving):
        return Region(np.ones(shape, bool), True, moving, self.size, self.regions.block)

    def first(self):
        return DrawnState()

    def step(self, state, picture):
        assert picture.dtype == np.uint8 and picture.shape[:2] == self.size
        return self.drawn[state.frame], DrawnState(state.frame + 1)
