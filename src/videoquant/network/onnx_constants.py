"""What a file computes from constants alone: sizes of a Reshape, weights that were kept as int8.

Where this reader knows the operator, it computes it as it does for activations, so that one operator means
one thing. The rest, mostly arithmetic of sizes, is left to ONNX's own evaluator; it does not do it all, as of
some operators it knows only the newest meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.builder import Builder, OperatorContext, Translation, Value, one_line

Constant = NDArray[np.generic]

# Operators whose meaning the evaluator has only in its newest version, or not as ONNX Runtime has it.
OWN = (
    *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "Dropout", "Gelu", "GlobalAveragePool"),
    *("GroupNormalization", "LayerNormalization", "LpNormalization"),
    *("GlobalMaxPool", "HardSigmoid", "HardSwish", "MaxPool", "PRelu", "Resize", "Softmax", "Upsample"),
)
# Operators whose results are never larger than their inputs, though nothing says beforehand how large.
SELECTING = ("Compress", "NonZero", "Slice", "Unique")
GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
NEWEST_ONLY = ("Hardmax", "LogSoftmax")  # of opset 13: before, they went over several dimensions at once


def tensor(array: Constant) -> torch.Tensor:
    """A constant in PyTorch; every floating-point type becomes float32."""
    return torch.from_numpy(np.array(array, dtype=np.int64 if array.dtype.kind in "iub" else np.float32))


def evaluate(
    site: OperatorContext,
    node: onnx.NodeProto,
    feeds: Mapping[str, Constant],
    opsets: Iterable[onnx.OperatorSetIdProto],
    translation: Translation | None,
    attributes: dict[str, Any],
) -> Sequence[Constant]:
    """The outputs of a node that reads only constants.

    feeds: its inputs by name.
    translation: of its operator, None where the reader has none.
    Raises `NetworkError` where it cannot be computed, or its result is above the size limit.
    """
    if any(attribute.type in GRAPHS for attribute in node.attribute):
        raise site.refuse("operators that hold graphs are not supported; export the network without them")
    if node.op_type.startswith(("Random", "Multinomial", "Bernoulli")):
        raise site.refuse("a constant that is drawn at random is not supported")
    if node.op_type == "DequantizeLinear" and site.opset < 19:
        x, scale, zero = (feeds.get(name) for name in [*node.input, ""][:3])
        return [dequantized(site, x, scale, zero, **attributes)]
    if node.op_type in OWN and translation is not None:
        inputs = [feeds[name] if name else None for name in node.input]
        return _translated(site, inputs, translation, attributes)
    if node.op_type in NEWEST_ONLY and site.opset < 13:
        raise site.refuse("it is computed from constants, which is supported from opset 13 on")
    if node.op_type == "Unsqueeze" and isinstance(attributes.get("axes"), list):
        # The evaluator puts them in one after the other as they stand.
        rank = feeds[node.input[0]].ndim + len(attributes["axes"])
        sorted_axes = sorted(site.axes(attributes["axes"], rank))
        node = helper.make_node("Unsqueeze", node.input, node.output, axes=sorted_axes)
    if node.op_type == "Slice" and len(node.input) == 5:
        _check_backwards(site, *(feeds[name] if name else None for name in node.input))
    return _by_evaluator(site, node, feeds, opsets)


def _check_backwards(
    site: OperatorContext,
    data: Constant | None,
    starts: Constant | None,
    ends: Constant | None,
    axes: Constant | None,
    steps: Constant | None,
) -> None:
    """Refuse a slice backwards that begins before the first element or ends at the largest number.

    ONNX moves both into the tensor, NumPy, by which the evaluator computes, takes neither.
    """
    if data is None or starts is None or ends is None or steps is None:
        return
    places = range(len(starts)) if axes is None else axes.tolist()
    for start, end, place, step in zip(starts.tolist(), ends.tolist(), places, steps.tolist(), strict=False):
        if step < 0 and (end >= 2**31 - 1 or start < -data.shape[site.axis(place, data.ndim)]):
            raise site.refuse("a slice backwards from before or to behind the tensor is read in several ways")


def dequantized(
    site: OperatorContext,
    x: Constant | None,
    scale: Constant | None,
    zero: Constant | None = None,
    axis: int = 1,
) -> Constant:
    """(x − zero) · scale, one of each for the tensor or for each index of an axis: opset 10 to 18."""
    if x is None or scale is None:
        raise site.refuse("it has no input or no scale")
    shape = [1] * x.ndim
    if scale.size > 1:
        dim = site.axis(axis, x.ndim)
        shape[dim] = x.shape[dim]
    if scale.size != math.prod(shape) or (zero is not None and zero.size != scale.size):
        raise site.refuse(f"its scales and zero points do not fit axis {axis} of a tensor of shape {x.shape}")
    steps = x.astype(np.float32)
    if zero is not None:
        steps = steps - zero.astype(np.float32).reshape(shape)
    return steps * scale.astype(np.float32).reshape(shape)


def _translated(
    site: OperatorContext,
    inputs: Sequence[Constant | None],
    translation: Translation,
    attributes: dict[str, Any],
) -> Sequence[Constant]:
    """Computed as if the first input came in at run time."""
    x, *others = (None if array is None else tensor(array) for array in inputs)
    if x is None:
        raise site.refuse("its first input is left out")
    builder = Builder(site.builder.name, "x", x.shape)
    apart = OperatorContext(builder, site.name, site.place, site.outputs, site.opset)
    result = apart.translate(translation, [builder.input, *others], attributes)
    values = [result] if isinstance(result, Value) else [value for value in result if value is not None]
    with torch.no_grad():
        return [result.numpy() for result in builder.compute(values, x)]


def _by_evaluator(
    site: OperatorContext,
    node: onnx.NodeProto,
    feeds: Mapping[str, Constant],
    opsets: Iterable[onnx.OperatorSetIdProto],
) -> Sequence[Constant]:
    graph = helper.make_graph(
        [node],
        "constants",
        [helper.make_tensor_value_info(name, _kind(array), array.shape) for name, array in feeds.items()],
        [onnx.ValueInfoProto(name=name) for name in node.output],
    )
    model = helper.make_model(graph, opset_imports=opsets)
    _check_results(site, model, node, feeds)
    try:
        results = ReferenceEvaluator(model).run(None, dict(feeds))
    except Exception as error:  # the evaluator raises whatever NumPy or the operator does
        raise site.refuse(f"its inputs are constants, but it cannot be computed: {one_line(error)}") from None
    return [np.asarray(result) for result in results]


def _check_results(
    site: OperatorContext, model: onnx.ModelProto, node: onnx.NodeProto, feeds: Mapping[str, Constant]
) -> None:
    """Refuse a result above the size limit before it is computed: a few numbers can ask for any size."""
    if node.op_type in SELECTING:
        return
    known = onnx.ModelProto()
    known.CopyFrom(model)
    for name, array in feeds.items():
        if array.size <= 1024 and array.dtype.kind in "iubf":  # what tells a size is short
            known.graph.initializer.append(numpy_helper.from_array(array, name))
    try:
        inferred = onnx.shape_inference.infer_shapes(known, strict_mode=True, data_prop=True)
    except Exception as error:
        raise site.refuse(f"its inputs are constants, but it cannot be computed: {one_line(error)}") from None
    for output in (*inferred.graph.output, *inferred.graph.value_info):
        kind = output.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value")]
        if output.name and output.type.HasField("tensor_type"):
            if not kind.HasField("shape") or len(sizes) != len(kind.shape.dim):
                raise site.refuse("its inputs are constants, but nothing says how large its result is")
            check_size(8 * math.prod(sizes), site.place, NetworkError)


def _kind(array: Constant) -> int:
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))
