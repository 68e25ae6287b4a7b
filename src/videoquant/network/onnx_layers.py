"""How ONNX operators become nodes: layers and norms. See `onnx_operators`."""

from __future__ import annotations

from collections.abc import Sequence

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value
from videoquant.network.onnx_windows import check_window, of_lines_too, paddings, shared_out

LAYERS = OperatorRegistry()
_onnx = LAYERS.register


def kernel_of(site: OperatorContext, weight: Argument, kernel_shape: Sequence[int]) -> list[int]:
    """(height, width) of the weights, which must be what the node says of them."""
    kernel = list(site.fixed(weight, "weights").shape[2:])
    if kernel_shape and list(kernel_shape) != kernel:
        raise site.refuse(f"kernel_shape is {list(kernel_shape)}, but its weights are of {kernel}")
    return kernel


@_onnx("Conv")
@of_lines_too
def conv(
    site: OperatorContext,
    x: Value,
    w: Argument,
    b: Argument | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Value:
    kernel = kernel_of(site, w, kernel_shape)
    padding = paddings(site, x, kernel, strides, dilations, pads, auto_pad)
    attributes = {"stride": list(strides), "padding": padding, "dilation": list(dilations), "groups": group}
    return site.convolve("conv2d", x, w, b, **attributes)


@_onnx("ConvTranspose")
@of_lines_too
def conv_transpose(
    site: OperatorContext,
    x: Value,
    w: Argument,
    b: Argument | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    output_padding: Sequence[int] = (0, 0),
    output_shape: Sequence[int] = (),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Value:
    kernel = kernel_of(site, w, kernel_shape)
    check_window(site, x, kernel, strides, dilations, pads, auto_pad)
    if len(output_padding) != 2 or min(output_padding) < 0:
        raise site.refuse(f"output_padding is {list(output_padding)}; it must be two numbers, none negative")
    # The rows and columns that the whole transposed convolution has, before any are cut off.
    whole = [
        (size - 1) * stride + (k - 1) * dilation + 1 + more
        for size, stride, k, dilation, more in zip(
            x.shape[2:], strides, kernel, dilations, output_padding, strict=True
        )
    ]
    wanted = list(output_shape[-2:])
    if not wanted and auto_pad.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    padding = list(pads or (0, 0, 0, 0)) if auto_pad == "NOTSET" else [0, 0, 0, 0]
    if wanted:
        # A result that is to be larger than the whole is cut nowhere, and stays smaller for SAME.
        totals = [max(0, size - goal) for size, goal in zip(whole, wanted, strict=True)]
        padding = shared_out(totals, auto_pad)
    extra = list(output_padding)
    if output_shape:
        extra = [more + max(0, goal - n) for more, goal, n in zip(extra, wanted, whole, strict=True)]
    for axis in (0, 1):
        if extra[axis] >= max(strides[axis], dilations[axis]):
            raise site.refuse(
                f"output_padding {extra[axis]} is not supported; it must be below strides or dilations"
            )
    cut = [padding[0] + padding[2], padding[1] + padding[3]]
    if any(less >= size for less, size in zip(cut, whole, strict=True)):
        raise site.refuse(f"its pads, {padding}, leave nothing of its result of {whole}")
    attributes = {"stride": list(strides), "padding": padding, "output_padding": extra}
    attributes |= {"dilation": list(dilations)}
    return site.convolve("conv_transpose2d", x, w, b, groups=group, **attributes)


@_onnx("Gemm")
def gemm(
    site: OperatorContext,
    a: Argument,
    b: Argument,
    c: Argument | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    if transA:
        raise site.refuse("transA=1 is not supported")
    x, weight = site.running(a), site.fixed(b, "weights")
    if len(x.shape) != 2 or weight.dim() != 2:
        raise site.refuse(f"it must multiply matrices; they have shapes {x.shape} and {tuple(weight.shape)}")
    weight = (weight if transB else weight.T) * alpha
    if c is None:
        return site.convolve("linear", x, weight, None)
    bias = site.fixed(c, "biases") * beta
    rows, features = (1, 1, *bias.shape)[-2:]
    if bias.dim() > 2 or rows not in (1, x.shape[0]) or features not in (1, len(weight)):
        raise site.refuse(f"biases of shape {tuple(bias.shape)} do not fit {len(weight)} features")
    if bias.dim() < 2 or len(bias) == 1:
        return site.convolve("linear", x, weight, bias.broadcast_to(1, len(weight)))
    # A bias of its own for each row of the input.
    product = site.convolve("linear", x, weight, None)
    return site.emit("add", product, site.value(bias), part="bias")


@_onnx("MatMul")
def matmul(site: OperatorContext, a: Argument, b: Argument) -> Value:
    """A constant matrix behind makes a linear layer, all else a product of two values."""
    if (
        isinstance(a, Value)
        and not isinstance(b, Value)
        and site.fixed(b, "weights").dim() == 2 <= len(a.shape)
    ):
        return site.convolve("linear", a, site.fixed(b, "weights").T, None)
    x, y = site.value(a), site.value(b)
    return site.emit("matmul", x, y)


@_onnx("BatchNormalization")
def batch_normalization(
    site: OperatorContext,
    x: Value,
    scale: Argument,
    b: Argument,
    mean: Argument,
    var: Argument,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> Value:
    if training_mode or not spatial or site.outputs > 1:
        raise site.refuse("a batch norm in training mode is not supported; export the network in eval mode")
    weight, bias, mean, var = (site.fixed(tensor, "statistics") for tensor in (scale, b, mean, var))
    return site.batch_norm(x, weight, bias, mean, var, epsilon)


@_onnx("InstanceNormalization")
def instance_normalization(
    site: OperatorContext, x: Value, scale: Argument, b: Argument, *, epsilon: float = 1e-5
) -> Value:
    weight, bias = site.fixed(scale, "scales"), site.fixed(b, "biases")
    y = site.emit("instance_norm", x, eps=epsilon)
    if any(tuple(tensor.shape) != x.shape[1:2] for tensor in (weight, bias)):
        raise site.refuse(f"{len(weight)} scales and {len(bias)} biases do not fit {x.shape[1]} channels")
    if bool((weight == 1).all()) and not bool(bias.any()):
        return y
    return site.emit("affine", y, part="affine", tensors={"weight": weight, "bias": bias})


@_onnx("GroupNormalization")
def group_normalization(
    site: OperatorContext,
    x: Value,
    scale: Argument,
    b: Argument,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    weight, bias = site.fixed(scale, "scales").flatten(), site.fixed(b, "biases").flatten()
    y = site.emit("group_norm", x, groups=num_groups, eps=epsilon)
    if len(weight) != x.shape[1] or len(bias) != x.shape[1]:
        raise site.refuse(f"{len(weight)} scales and {len(bias)} biases do not fit {x.shape[1]} channels")
    return site.emit("affine", y, part="affine", tensors={"weight": weight, "bias": bias})


@_onnx("LayerNormalization")
def layer_normalization(
    site: OperatorContext,
    x: Value,
    scale: Argument,
    b: Argument | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    if site.outputs > 1:
        raise site.refuse("its mean and deviation as outputs are not supported")
    dim = site.axis(axis, len(x.shape))
    y = site.emit("layer_norm", x, dims=len(x.shape) - dim, eps=epsilon, part="normalized")
    return site.scaled(y, scale, b)
