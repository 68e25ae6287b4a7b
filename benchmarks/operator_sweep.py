"""Reads random single operators with `videoquant` and with ONNX Runtime, and demands the same of both.

    python -m benchmarks.operator_sweep [--count N] [--seed N] [--only Conv,Resize] [--keep FOLDER]

`--count` operators of each kind are drawn (by the files of `tests/operators`). Each is tried as users' files
have it: read from a file and run on an input; and with constants alone, which the reader computes itself.
A file that ONNX Runtime takes must give its numbers or be refused in one line that names the node; one that
it refuses may be read or refused, but ends in no other error, at loading or on a frame. What is right is
written again, and both must give its numbers for that file, too. `--keep` writes the files that fail. Exits 1
if there are any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.operators import GENERATORS
from tests.operators.onnx_dice import Dice, Drawn
from videoquant.errors import NetworkError
from videoquant.network.graph import Network
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.onnx_writer import write_onnx

NODE = "the node"
FLOAT = TensorProto.FLOAT
PROVIDER = "CPUExecutionProvider"
FAILURES = ("other numbers", "other shape", "not one line", "raised", "written wrong")
Right = dict[str, np.ndarray] | None


def model(drawn: Drawn, x: np.ndarray, folded: bool) -> onnx.ModelProto:
    """A file with the operator; its input comes in as an image, whatever its rank is.

    folded: x is a constant of the file, and what the operator gives is added to the image.
    """
    nodes, constants, names = [], {}, []
    image: tuple[int, ...] = x.shape
    if folded:
        constants["x"], image = x, (1, 1, 1, 1)
    elif x.ndim != 4:
        image = (1, 1, 1, x.size)
        constants["shape of x"] = np.array(x.shape, np.int64)
        nodes.append(helper.make_node("Reshape", ["image", "shape of x"], ["x"], name="as drawn"))
    flows = "x" if folded or x.ndim != 4 else "image"
    if drawn.takes != FLOAT:
        nodes.append(helper.make_node("Cast", [flows], ["cast x"], name="as it is taken", to=drawn.takes))
        flows = "cast x"
    for position, value in enumerate(drawn.inputs):
        if isinstance(value, np.ndarray):
            constants[f"c{position}"] = value
            names.append(f"c{position}")
        else:
            names.append(flows if value == "x" else "")
    results = [f"r{i}" for i in range(drawn.outputs)]
    outputs = [f"y{i}" for i in range(drawn.outputs)]
    nodes.append(helper.make_node(drawn.op, names, results, name=NODE, **drawn.attributes))
    gives = drawn.gives or (drawn.attributes.get("to", FLOAT),) * drawn.outputs
    for i, (result, output, to) in enumerate(zip(results, outputs, gives, strict=True)):
        if to != FLOAT:  # back to the type that networks give
            nodes.append(helper.make_node("Cast", [result], [f"back{i}"], name=f"back {i}", to=FLOAT))
            result = f"back{i}"
        op, inputs = ("Add", ["image", result]) if folded else ("Identity", [result])
        nodes.append(helper.make_node(op, inputs, [output], name=f"out {i}"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    if drawn.opset < 9:  # initializers had to be inputs as well
        for name, value in constants.items():
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
    version = 8 if drawn.opset >= 9 else 3
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", drawn.opset)], ir_version=version)


def runtime(proto: onnx.ModelProto, image: np.ndarray) -> Right:
    """What ONNX Runtime gives, without its optimizations; None where it refuses."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, [PROVIDER])
        results = session.run(None, {"image": image})
        return dict(zip([output.name for output in proto.graph.output], results, strict=True))
    except Exception:  # whatever it raises, it does not run the file
        return None


def outcome(
    proto: onnx.ModelProto, image: np.ndarray, right: Right, path: Path
) -> tuple[str, str, Network | None]:
    """(what happened, in which words, what was read) when `videoquant` reads, runs and writes the file."""
    onnx.save(proto, path)
    try:
        network = read_onnx(path)
        with torch.no_grad():
            got = network.run(torch.from_numpy(image))
    except NetworkError as error:
        words = str(error)
        named = any(place in words for place in (": node '", " layer '", ": input '", " output '"))
        return "refused" if "\n" not in words and named else "not one line", words, None
    except Exception as error:  # the very thing that is looked for
        return "raised", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", None
    if right is None:
        return "read, ONNX Runtime refuses", "", network
    for name, expected in right.items():
        mine = got[name].numpy()
        one = network.shapes[network.outputs[name]]  # of one frame, where there are several
        if mine.shape != expected.shape or (mine.shape != one and len(image) == 1):
            return "other shape", f"{name}: {mine.shape}, right is {expected.shape}", network
        if words := _difference(mine, expected):
            return "other numbers", f"{name}: {words}", network
    words = _written(network, image[:1], path)
    return "written wrong" if words else "same", words, network


def _difference(mine: np.ndarray, expected: np.ndarray) -> str:
    if np.allclose(mine, expected, rtol=1e-3, atol=1e-4, equal_nan=True):
        return ""
    with np.errstate(invalid="ignore"):
        return f"largest difference {np.nanmax(np.abs(mine - expected)):.3g}"


def _written(network: Network, image: np.ndarray, path: Path) -> str:
    """What is wrong with the network as it is written; nothing where ONNX cannot say it."""
    try:
        write_onnx(network, path)
    except NetworkError:
        return ""
    right = runtime(onnx.load(path), image)
    if right is None:
        return "ONNX Runtime does not run the file"
    try:
        read = read_onnx(path)
    except NetworkError as error:
        return f"it is not read again: {error}"
    with torch.no_grad():
        outputs = network.run(torch.from_numpy(image))
        again = read.run(torch.from_numpy(image))
    differences = [
        f"{name}: {words}"
        for name, y in outputs.items()
        for words in (_difference(right[name], y.numpy()), _difference(again[name].numpy(), y.numpy()))
        if words
    ]
    return "; ".join(differences)


def sweep(
    op: str, count: int, seed: int, folder: Path
) -> Iterator[tuple[str, str, Drawn, onnx.ModelProto, Network | None]]:
    """Draws `count` of one operator: what happened, the words, what was drawn, its file, what was read."""
    for number in range(count):
        dice = Dice([seed, number, *op.encode()])
        drawn = GENERATORS[op](dice, op)
        x = dice.floats(*drawn.shape) * 2
        folded = dice.chance(0.25)
        proto = model(drawn, x, folded)
        image = dice.floats(1, 1, 1, 1) if folded else x.reshape(x.shape if x.ndim == 4 else (1, 1, 1, -1))
        right = runtime(proto, image)
        what, words, network = outcome(proto, image, right, folder / "drawn.onnx")
        yield what, f"{'constants: ' if folded else ''}{words}", drawn, proto, network


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="operators, with commas between them")
    parser.add_argument("--refused", default="", help="print what was refused in these words")
    parser.add_argument("--keep", type=Path, help="where files that fail are written")
    parser.add_argument("--refusals", action="store_true", help="show what was refused, and how often")
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    for op in options.only.split(",") if options.only else sorted(GENERATORS):
        counts: Counter[str] = Counter()
        refusals: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            for what, words, drawn, proto, _ in sweep(op, options.count, options.seed, Path(folder)):
                counts[what] += 1
                if what == "refused":
                    if options.refused and options.refused in words:
                        print("  ", drawn, words)
                    refusals[words.rpartition("): ")[2][:300]] += 1
                if what in FAILURES:
                    failed += 1
                    if counts[what] <= 3:
                        print(f"  {what}: {drawn}: {words}")
                    if options.keep:
                        _keep(options.keep, f"{op}-{options.seed}-{sum(counts.values())}", proto)
        print(f"{op:20}", ", ".join(f"{what} {n}" for what, n in counts.most_common()), flush=True)
        for words, n in refusals.most_common(12) if options.refusals else ():
            print(f"    {n} × {words}")
    print(f"{failed} failed")
    return int(failed > 0)


def _keep(folder: Path, name: str, proto: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, folder / f"{name}.onnx")


if __name__ == "__main__":
    sys.exit(main())
