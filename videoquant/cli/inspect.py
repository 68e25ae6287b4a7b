"""`videoquant inspect`: what a network is made of, and what a scheme would do to each layer."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from videoquant.cli.options import (
    ColorOption,
    FitOption,
    MeanOption,
    ScaleOption,
    StdOption,
    TaskOption,
    console,
    open_network,
)
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.errors import NetworkError
from videoquant.network.graph import Network
from videoquant.quantizers.placement import layer_bits
from videoquant.schemes import Scheme
from videoquant.storage import is_quantized_file, load_quantized


def command(
    network: Annotated[
        str, typer.Argument(help="An ONNX file, a shipped network's name, or a quantized file.")
    ],
    scheme: Annotated[
        str | None,
        typer.Option(help='Show what this scheme quantizes, e.g. "w8a8->w4a4 T=3" (default w8a8).'),
    ] = None,
    mean: MeanOption = None,
    std: StdOption = None,
    scale: ScaleOption = None,
    color: ColorOption = None,
    fit: FitOption = None,
    task: TaskOption = None,
) -> None:
    """Print a network's layers: shapes, parameters, MACs, and the bits a scheme gives each."""
    options = (mean, std, scale, color, fit, task)
    if is_quantized_file(network):
        if any(option is not None for option in options):
            raise NetworkError(f"{network}: its preprocessing is stored with it; quantize again to change it")
        quantized = load_quantized(network)
        graph, shown = quantized.network, Scheme.parse(scheme) if scheme else quantized.scheme
    else:
        shown = Scheme.parse(scheme or "w8a8")
        graph = open_network(network, *options)
    console.print(layer_table(graph, shown))
    for line in summary(graph, shown):
        console.print(line, highlight=False)


def layer_table(network: Network, scheme: Scheme) -> Table:
    """One line per layer, in the order they run."""
    bits = layer_bits(network, scheme)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("operator", no_wrap=True)
    for heading in ("weights", "output", "parameters", "MMACs", str(scheme)):
        table.add_column(heading, justify="right", no_wrap=True)
    for node in network.layers:
        owned = network.node_tensors(node)
        table.add_row(
            node.name,
            node.op,
            "×".join(map(str, owned["weight"].shape)),
            "×".join(map(str, network.shapes[node.name][1:])),
            f"{sum(t.numel() for t in owned.values()):,}",
            f"{network.macs[node.name] / 1e6:,.2f}",
            str(bits[node.name]),
        )
    return table


def summary(network: Network, scheme: Scheme) -> list[str]:
    """The network in a few lines: input, outputs, preprocessing, totals."""
    p = network.preprocessing
    outputs = ", ".join(f"{n} {'×'.join(map(str, network.shapes[v]))}" for n, v in network.outputs.items())
    others = sorted({node.op for node in network.nodes if not node.is_layer})
    bits = layer_bits(network, scheme)
    quantized = sum(not bits[node.name].is_float for node in network.layers)
    key, residual = (frame_bops(network, scheme, is_key) / 1e9 for is_key in (True, False))
    gbops = amortised_bops(key, residual, scheme.period)
    at_most = "at most " if getattr(scheme.time, "adaptive", False) else ""
    numbers = [",".join(f"{v:g}" for v in values) for values in (p.mean, p.std)]
    return [
        "",
        f"network        {network.name}: input {network.input} {'×'.join(map(str, network.input_shape))}",
        f"outputs        {outputs}",
        f"preprocessing  {p.color} × {p.scale:.6g}, mean {numbers[0]}, std {numbers[1]}, {p.fit}; "
        f"task {p.task or 'unknown (--task names it)'}",
        f"layers         {len(network.layers)}, and {', '.join(others)}",
        f"parameters     {sum(t.numel() for t in network.tensors.values()):,}",
        f"MACs           {sum(network.macs.values()) / 1e9:.3f} G per frame",
        f"scheme         {scheme}: {quantized} of {len(network.layers)} layers quantized, "
        f"{at_most}{gbops:.2f} GBOPs per frame (fp32 {sum(network.macs.values()) * 1024 / 1e9:.2f})",
    ]
