"""The arguments of scripts that run something on some frames of a clip."""

import argparse
from collections.abc import Iterator
from itertools import islice

import videoquant as vq
from videoquant.data.video import Frame


def clip_parser(description: str, runs: str) -> argparse.ArgumentParser:
    """A parser of RUNS CLIP FIRST COUNT. runs: the name of the first argument, which is what runs."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(runs)
    parser.add_argument("clip")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    return parser


def chosen_frames(options: argparse.Namespace) -> Iterator[Frame]:
    """Those that the arguments name."""
    return islice(vq.frames(options.clip), options.first, options.first + options.count)
