"""Damaged ONNX files, a kind of `damaged_kinds`: changed by what knows the format, but not what may be."""

import math
from pathlib import Path
from random import Random

import numpy as np
import onnx
import torch
from onnx import AttributeProto, TensorProto, helper, numpy_helper

import videoquant as vq
from benchmarks.damages import damage_bytes

INTEGERS = [-(2**63), -(2**31), -5, -1, 0, 1, 2, 3, 5, 7, 255, 4096, 2**31, 2**40, 2**62]
FLOATS = [math.nan, math.inf, -math.inf, -1.0, 0.0, 1e38, 1e-45]
TEXTS = [b"", b"\xff\xfe", b"linear", b"SAME_UPPER", b"reflect", b"align_corners", b"x\ny"]
TYPES = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 16, 17, 20, 21, 99]
PLACES = ["../x", "/etc/passwd", "x.bin", "", "/dev/zero", ".", "damaged.onnx"]
OPERATORS = [
    "Conv",
    "Relu",
    "Add",
    "Concat",
    "MaxPool",
    "AveragePool",
    "Resize",
    "Reshape",
    "Gemm",
    "ConvTranspose",
    "Pad",
    "Slice",
    "Split",
    "Softmax",
    "Squeeze",
    "GlobalAveragePool",
    "Transpose",
    "Flatten",
    "Loop",
    "If",
    "Foo",
    "ReduceMean",
    "Gather",
    "DepthToSpace",
    "Clip",
    "PRelu",
    "MatMul",
    "Shape",
    "Cast",
    "BatchNormalization",
    "Expand",
    "ConstantOfShape",
    "Tile",
    "Range",
    "NonZero",
    "RandomNormalLike",
    "DequantizeLinear",
    "Constant",
]
METADATA = [
    "nan",
    "inf",
    "0",
    "1/0",
    "-1",
    "1e400",
    "1,2",
    "",
    "x",
    "[0.5, 0.5, 0.5]",
    "nan,nan,nan",
    "detect",
]


def damage_onnx(data: bytes, random: Random) -> tuple[bytes, str]:
    """One to three changes of nodes, attributes, constants, the input, the opset or the metadata."""
    if random.random() < 0.3:
        return damage_bytes(data, random)
    model = onnx.load_from_string(data)
    said = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        way = random.choice(WAYS)
        try:
            said.append(way(model, random))
        except ValueError as error:  # an earlier change stands in the way of this one
            said.append(f"nothing ({error})")
    try:
        return model.SerializeToString(), "; ".join(said)
    except (ValueError, UnicodeError):  # what protobuf does not write
        return damage_bytes(data, random)


def _attribute(model, random) -> str:
    node = random.choice([node for node in model.graph.node if node.attribute] or [None])
    if node is None:
        return "no attribute"
    attribute = random.choice(list(node.attribute))
    match attribute.type, random.randrange(4):
        case _, 0:
            node.attribute.remove(attribute)
        case AttributeProto.INTS, 1:
            attribute.ints.append(random.choice(INTEGERS))
        case AttributeProto.INTS, 2 if attribute.ints:
            attribute.ints.pop()
        case AttributeProto.INTS, _ if attribute.ints:
            attribute.ints[random.randrange(len(attribute.ints))] = random.choice(INTEGERS)
        case AttributeProto.INT, _:
            attribute.i = random.choice(INTEGERS)
        case AttributeProto.FLOAT, _:
            attribute.f = random.choice(FLOATS)
        case AttributeProto.STRING, _:
            attribute.s = random.choice(TEXTS)
    return f"attribute {attribute.name!r} of {node.op_type}"


def _input(model, random) -> str:
    node = random.choice(model.graph.node)
    values = [name for other in model.graph.node for name in (*other.input, *other.output)]
    match random.randrange(3):
        case 0 if node.input:
            node.input[random.randrange(len(node.input))] = random.choice([*values, "", "nothing"])
        case 1 if node.input:
            node.input.pop()
        case _:
            node.input.append(random.choice([*values, ""]))
    return f"inputs of {node.op_type}"


def _operator(model, random) -> str:
    node = random.choice(model.graph.node)
    before, node.op_type = node.op_type, random.choice(OPERATORS)
    return f"{before} became {node.op_type}"


def _order(model, random) -> str:
    nodes = list(model.graph.node)
    if random.random() < 0.5:
        random.choice(model.graph.node).output[0] = random.choice(nodes).output[0]
        return "a value given twice"
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return "nodes in another order"


def _constant(model, random) -> str:
    tensor = random.choice(model.graph.initializer)
    match random.randrange(5):
        case 0 if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(INTEGERS)
        case 1:
            tensor.data_type = random.choice(TYPES)
        case 2:
            tensor.data_location = TensorProto.EXTERNAL
            tensor.ClearField("raw_data")
            tensor.external_data.add(key="location", value=random.choice(PLACES))
            if random.random() < 0.5:
                tensor.external_data.add(key="offset", value=random.choice(["-1", "7", "x"]))
        case 3:
            with np.errstate(over="ignore", invalid="ignore"):
                array = numpy_helper.to_array(tensor) * np.float64(random.choice([math.nan, 1e30, 1e300, 0]))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        case _:
            kind = random.choice([np.float64, np.float16, np.int32, np.int8])
            array = numpy_helper.to_array(tensor).astype(kind)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return f"constant {tensor.name!r}"


def _sizes(model, random) -> str:
    value = random.choice([*model.graph.input[:1], *model.graph.output])
    dims = value.type.tensor_type.shape.dim
    if dims:
        dims[random.randrange(len(dims))].dim_value = random.choice([*INTEGERS, 3, 4])
    return f"sizes of {value.name!r}"


def _computed(model, random) -> str:
    """A constant in place of another, computed from numbers that ask for anything."""
    tensor = random.choice(model.graph.initializer)
    numbers = [random.choice(INTEGERS) for _ in range(random.randrange(1, 5))]
    model.graph.initializer.append(numpy_helper.from_array(np.array(numbers, np.int64), "numbers"))
    op = random.choice(["ConstantOfShape", "Expand", "Tile", "Reshape", "Range", "OneHot", "Pad"])
    inputs = {"ConstantOfShape": ["numbers"], "Range": ["numbers"] * 3, "OneHot": ["numbers"] * 3}
    node = helper.make_node(op, inputs.get(op, [tensor.name, "numbers"]), ["computed"], name="computing")
    model.graph.node.insert(0, node)
    for other in model.graph.node[1:]:
        for i, name in enumerate(other.input):
            if name == tensor.name:
                other.input[i] = "computed"
    return f"{tensor.name!r} computed by {op} from {numbers}"


def _opset(model, random) -> str:
    if model.opset_import:
        model.opset_import[0].version = random.choice([-1, 0, 1, 5, 6, 7, 9, 11, 13, 22, 1000])
        if random.random() < 0.2:
            del model.opset_import[:]
            model.ir_version = 2
    return "opset"


def _metadata(model, random) -> str:
    key = random.choice(["mean", "std", "scale", "color", "fit", "task"])
    for entry in [entry for entry in model.metadata_props if entry.key == key]:
        model.metadata_props.remove(entry)
    entry = model.metadata_props.add(key=key, value=random.choice(METADATA))
    return f"{key}={entry.value}"


WAYS = [_attribute] * 4 + [_input] * 2 + [_constant] * 2
WAYS += [_operator, _order, _sizes, _computed, _opset, _metadata]


def use_onnx(path: Path) -> None:
    """Load it and show it a frame; a damaged size may have made a network that only takes long."""
    network = vq.load(path)
    if sum(math.prod(shape) for shape in network.shapes.values()) < 1e7 and sum(network.macs.values()) < 1e9:
        with torch.no_grad():
            network(torch.rand(network.input_shape))
