"""What regions would save and lose in floating point, on a clip: an emulation that needs no calibration.

    python benchmarks/gate_agreement.py NETWORK.onnx CLIP FIRST COUNT [SCHEME]... [--noise SIGMA]

Every value of the network takes its new pixels inside the region, and keeps the old ones outside it, as a
scheme with regions has it (docs/regions.md). SCHEME: with the words of a rule, by default "w8a8 regions"; its
bit-widths play no part. --noise: adds a camera's noise of so many levels, half of it in color, to the frames.

Printed for each: the share of the input's pixels and of multiply-accumulates, the frames that were whole, all
of those after the first, and how far the task's outputs agree with every pixel of every frame computed. Then
how far they agree with the whole network on the pixels that are held: what is lost there is lost by what maps
hold, at the region's edges and behind global operators, whose values change everywhere.
"""

import warnings

import numpy as np
import torch
from clip_arguments import chosen_frames, clip_parser  # beside this script

import videoquant as vq
from videoquant.network.graph import Network, Node
from videoquant.regions import NativeGate, Region
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for


def play(network: Network, x: torch.Tensor, region: Region, held: dict[str, torch.Tensor], grow: int):
    """The outputs of a frame, and its multiply-accumulates; `held` takes what is held after it."""
    done = 0.0

    def keep(name: str, y: torch.Tensor) -> torch.Tensor:
        if not region.whole and y.dim() == 4:
            y = torch.where(torch.from_numpy(region.mask(y.shape[2], y.shape[3], grow)), y, held[name])
        held[name] = y
        return y

    def compute(node: Node, values: list) -> torch.Tensor:
        nonlocal done
        y = network.apply(node, values)
        if node.name in macs:
            share = region.mask(y.shape[2], y.shape[3], grow).mean() if y.dim() == 4 else 1.0
            done += macs[node.name] * share
        return keep(node.name, y)

    macs = network.macs
    with torch.no_grad():
        return network.run(keep("", x), compute), done / sum(macs.values())


def main() -> None:
    parser = clip_parser(__doc__, "network")
    parser.add_argument("schemes", nargs="*", default=["w8a8 regions"])
    parser.add_argument("--noise", type=float, default=0.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    network = vq.load(options.network)
    task = task_for(network)
    random = np.random.default_rng(0)
    pictures = []
    for frame in chosen_frames(options):
        picture = network.preprocessing.picture(frame.pixels, network.size)
        if options.noise:
            grain = random.normal(0, options.noise, (*network.size, 1))
            grain = grain + random.normal(0, options.noise / 2, picture.shape)
            picture = np.rint(np.clip(picture + grain, 0, 255)).astype(np.uint8)
        pictures.append(picture)
    plain = pictures if network.preprocessing.color == "RGB" else [p[..., ::-1] for p in pictures]
    inputs = [network.prepare(np.ascontiguousarray(picture)) for picture in plain]
    with torch.no_grad():
        reference = [network.run(x) for x in inputs]
    for scheme in options.schemes:
        rule = vq.Scheme.parse(scheme).regions
        if rule is None:
            parser.error(f"{scheme!r} has no regions")
        gate, held = NativeGate(rule, network.size, 3), {}
        agreement, of_held = agreement_for(task), agreement_for(task)
        state, figures = gate.first(), []
        for picture, x, expected in zip(pictures, inputs, reference, strict=True):
            region, state = gate.step(state, picture)
            outputs, work = play(network, x, region, held, rule.grow)
            agreement.update(expected, outputs)
            with torch.no_grad():
                of_held.update(network.run(held[""]), outputs)
            figures.append((region.share, work, region.whole))
        share, work, whole = np.mean(figures[1:], 0)
        found, beside = (
            ", ".join(f"{name} {value:.4f}" for name, value in each.result().items())
            for each in (agreement, of_held)
        )
        print(
            f"{scheme}: pixels {share:.3f}, MACs {work:.3f}, whole {whole:.3f}; {found}; "
            f"of held pixels {beside}",
            flush=True,
        )


if __name__ == "__main__":
    main()
