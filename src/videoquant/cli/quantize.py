"""`videoquant quantize`: calibrate one scheme and store the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videoquant.api import quantize
from videoquant.calibration.calibrate import walks
from videoquant.cli.console import progress_bar, say
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    CacheOption,
    DatasetsOption,
    ImagesOption,
    NoCacheOption,
    Texts,
    VideosOption,
    cache_folder,
    channels_match,
    open_clips,
    preprocessing_options,
)
from videoquant.cli.targets import check_targets, common_reads
from videoquant.data.joined import JoinedClip
from videoquant.engine import lower
from videoquant.errors import NetworkError, SchemeError
from videoquant.files import check_writable
from videoquant.network.graph import Network
from videoquant.runtime.integer_network import IntegerNetwork
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import save

PLAN_SUFFIX = ".plan"


@preprocessing_options
def command(
    network: NetworkArgument,
    scheme: Annotated[str, typer.Option(help='How to quantize, e.g. "w8a8->w4a4 T=3".')],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to store it, e.g. pose.vq; as pose.plan it is lowered for the engine.",
        ),
    ],
    video: VideosOption = None,
    images: ImagesOption = None,
    dataset: DatasetsOption = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    *,
    preprocessing: Texts,
) -> None:
    """Calibrate a scheme on a clip and store weights, codes and parameters in one file.

    A file called *.plan holds what the integer engine runs, on machines without PyTorch too.
    """
    check_targets(
        common_reads(network, video, images, dataset, checkpoint, preprocessing),
        {"--output": output},
    )
    wanted = Scheme.parse(scheme)
    clips = open_clips(video, dataset, images)
    source = clips[0] if len(clips) == 1 else JoinedClip(clips)
    captured = open_network(network, checkpoint, size, source, preprocessing)
    channels_match(captured)
    check_writable(output, least_bytes(captured))
    with progress_bar("calibrating", len(captured.nodes) * walks(wanted)) as advance:
        quantized = quantize(captured, wanted, source, advance, cache_folder(cache, no_cache))
    if output.suffix == PLAN_SUFFIX:
        lowered(quantized).save(output)
    else:
        save(quantized, output)
    megabytes = output.stat().st_size / 1e6
    floating = sum(tensor.numel() for tensor in captured.tensors.values()) * 4 / 1e6
    say(f"{output}: {quantized.scheme}, {megabytes:.2f} MB (fp32 {floating:.2f} MB)")


def lowered(quantized: QuantizedNetwork) -> IntegerNetwork:
    """The plan of a network. Raises `NetworkError` or `SchemeError` where there is none."""
    try:
        return lower(quantized)
    except (NetworkError, SchemeError) as error:
        raise type(error)(f"{error}; without {PLAN_SUFFIX} it is stored as it is simulated") from None


def least_bytes(network: Network) -> int:
    """What a network takes up in a file at least, where its weights are codes: a byte each."""
    return sum(tensor.numel() for tensor in network.tensors.values())
