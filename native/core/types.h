// The data that kernels work on: tensors in NHWC with N = 1, grids, and the fused program that ends every operator.
#pragma once
#include <cstdint>

namespace vq {

constexpr int max_taps = 1024;  // of a convolution's kernel

// q = clip(round(x · inverse) + zero, low, high), rounding half to even; x̂ = (q − zero) · scale.
struct Grid {
    float scale = 1, inverse = 1;  // inverse = 1 / scale in float32, as PyTorch computes it
    int32_t zero = 0, low = 0, high = 255;
};

// One tensor: h × w pixels of c channels. `stride`: elements from one pixel to the next.
struct Tensor {
    void* data = nullptr;
    int32_t h = 0, w = 0, c = 0;
    int64_t stride = 0;
    float* f32() const { return static_cast<float*>(data); }
    uint8_t* u8() const { return static_cast<uint8_t*>(data); }
    int64_t pixels() const { return int64_t(h) * w; }
};

enum class Do : uint8_t {
    clamp, leaky_relu, prelu, hardswish, hardsigmoid, sigmoid, silu, gelu, gelu_tanh, elu, tanh, exp, log, sqrt, abs,
    floor, ceil, round, trunc, sign, sin, cos, softplus, mish, erf, affine,
    add, sub, rsub, mul, div, rdiv, minimum, maximum,
    pow, rpow, fmod, rfmod, equal, greater, rgreater, greater_equal, rgreater_equal,  // those of of_two.h
    keep_where, rkeep_where, keep_unless, rkeep_unless,
    store, store_codes, store_residual, store_values,
};

// Dense + Sparse: what lies outside the grid's cells keeps its distance from what its code says, in 16 bits: S.
// Elsewhere a code is at most half a step away.
struct Outside {
    float bottom, top;
    explicit Outside(const Grid& g) : top((float(g.high - g.zero) + 0.5f) * g.scale) {
        const float begin = (float(g.low - g.zero) - 0.5f) * g.scale;
        bottom = begin > -top ? begin : -top;
    }
};
constexpr float largest_half = 65504;

// Where a program leaves S: the elements of a pixel, channels in order, each its 16 bits above its channel. Most pixels
// have few, and those lie close together. Null where no one asks.
struct Staged {
    uint16_t* counts = nullptr;
    uint32_t* few = nullptr;   // the first `few_elements` of each pixel
    uint32_t* more = nullptr;  // element k of pixel p, where k is more than that, at p · c + k
};
constexpr int few_elements = 4;

// S of a tensor, pixel after pixel: the elements of pixel p are begin[p] … begin[p + 1] − 1. Vectors may read past the
// end.
struct SparseElement {
    uint16_t channel, column;
    float value;  // with at most 11 significant bits
};
struct Sparse {
    const int32_t* begin = nullptr;  // h · w + 1 of them
    const SparseElement* elements = nullptr;
};

// How a stream follows what changed in a tensor of codes; null pointers where nobody asks.
struct Track {
    int8_t* delta = nullptr;    // h × w × stride: the change of each code, valid in pixels that were computed
    bool changes = true;        // whether anyone will read `delta`; else it need not be written
    uint16_t* moved = nullptr;  // h × w: the number of 4-channel groups with a change; `wide` where one leaves int8
};
constexpr uint16_t wide = 0x8000;

// One step of a program. A program runs on the float32 values of one pixel, all channels, in order.
struct Step {
    Do kind = Do::clamp;
    float a = 0, b = 0;                                  // scalars: clamp's ends, slopes, alpha and beta
    const float *channel_a = nullptr, *channel_b = nullptr;  // per channel, padded to 64: slopes, weights, biases
    // The other operand of add … rkeep_unless: at `operand + pixel · operand_pixel + channel · operand_channel`.
    const float* operand = nullptr;
    int64_t operand_pixel = 0;
    int32_t operand_channel = 0;  // 1, or 0 where one number stands for all channels
    Tensor out;                   // what store… writes
    Grid grid;
    Track track;
    Tensor reference;     // store_residual: x̂ of the reference frame, float32
    bool update = false;  // store_residual: the reference moves on (recurrent)
    bool sparse = false;  // store_codes …: x̂ is Dense + Sparse
    Staged staged;        // store_codes, store_residual: where S goes
};

struct Program {
    const Step* steps = nullptr;
    int32_t count = 0;
    int32_t channels = 0;
};

// Which output pixels to compute: the entries begin … end of `list`, or those numbers themselves where it is null.
// Pixel p is row p / w, column p % w.
struct Pixels {
    const int32_t* list = nullptr;
    int64_t begin = 0, end = 0;
    int32_t at(int64_t i) const { return list ? list[i] : int32_t(i); }
};

// Calls f(first, count) for runs of pixels that lie side by side.
template <class F>
void each_run(Pixels pixels, const F& f) {
    if (!pixels.list) return f(pixels.begin, pixels.end - pixels.begin);
    for (int64_t i = pixels.begin; i < pixels.end;) {
        int64_t count = 1;
        while (i + count < pixels.end && pixels.list[i + count] == pixels.list[i] + count) count++;
        f(int64_t(pixels.list[i]), count);
        i += count;
    }
}

}  // namespace vq
