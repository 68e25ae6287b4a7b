// Depthwise convolution by indirection, u8 codes × s8 weights into s32, one pixel × 4 vectors of channels, any
// instruction set: the way of those without products of their own for it, and of what their own ways leave out (Dense +
// Sparse, more than 64 taps).
#pragma once
#include <cstddef>

#include "program.h"

namespace vq::VQ_ISA {

// Where the taps of an output pixel lie.
struct Window {
    const Depthwise& conv;
    int32_t top, bottom, left, right;
    ptrdiff_t offset[max_taps + 4];

    explicit Window(const Depthwise& c) : conv(c) {
        top = bottom = c.dy[0];
        left = right = c.dx[0];
        for (int t = 0; t < c.taps; t++) {
            top = c.dy[t] < top ? c.dy[t] : top;
            bottom = c.dy[t] > bottom ? c.dy[t] : bottom;
            left = c.dx[t] < left ? c.dx[t] : left;
            right = c.dx[t] > right ? c.dx[t] : right;
            offset[t] = (ptrdiff_t(c.dy[t]) * c.in.w + c.dx[t]) * c.in.stride;
        }
        for (int t = c.taps; t < (c.taps + 3) / 4 * 4; t++) offset[t] = offset[0];  // met by weights of 0
    }

    void fill(int32_t pixel, const uint8_t** pointers) const {
        const int32_t out_y = pixel / conv.out.w, y = out_y * conv.stride_y;
        const int32_t x = (pixel - out_y * conv.out.w) * conv.stride_x;
        const uint8_t* base = conv.in.u8() + (int64_t(y) * conv.in.w + x) * conv.in.stride;
        if (y + top >= 0 && y + bottom < conv.in.h && x + left >= 0 && x + right < conv.in.w) {
            for (int t = 0; t < conv.taps; t++) pointers[t] = base + offset[t];
            return;
        }
        for (int t = 0; t < conv.taps; t++) {
            const int32_t iy = y + conv.dy[t], ix = x + conv.dx[t];
            const bool in = uint32_t(iy) < uint32_t(conv.in.h) && uint32_t(ix) < uint32_t(conv.in.w);
            pointers[t] = in ? base + offset[t] : conv.zeros;
        }
    }
};

// Dense + Sparse: what S in the window of a pixel adds to the channels from c0.
inline void depthwise_sparse(const Depthwise& conv, int32_t pixel, int c0, int channels, float* values) {
    const SparseTaps& s = conv.sparse;
    const int32_t out_y = pixel / conv.out.w, y = out_y * conv.stride_y,
                  x = (pixel - out_y * conv.out.w) * conv.stride_x;
    float sums[4 * lanes] = {};
    bool any = false;
    for (int t = 0; t < s.taps; t++) {
        const int32_t iy = y + s.dy[t], ix = x + s.dx[t];
        if (uint32_t(iy) >= uint32_t(conv.in.h) || uint32_t(ix) >= uint32_t(conv.in.w)) continue;
        const int32_t* begin = s.input.begin + int64_t(iy) * conv.in.w + ix;
        for (int32_t e = begin[0]; e < begin[1]; e++) {
            const int32_t c = int32_t(s.input.elements[e].channel) - c0;
            if (uint32_t(c) >= uint32_t(channels)) continue;
            sums[c] = sums[c] + s.input.elements[e].value * s.weight[int64_t(t) * conv.in.c + c0 + c];
            any = true;
        }
    }
    if (any)
        for (int c = 0; c < channels; c++) values[c] = values[c] + s.scale[c0 + c] * sums[c];
}

template <int N>
inline void depthwise_finish(const Depthwise& conv, const I32* acc, int32_t pixel, int c0, int n) {
    F32 v[N];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++)
        v[i] = to_float(acc[i]) * F32::load(conv.scale + c0 + i * lanes) + F32::load(conv.bias + c0 + i * lanes);
    if (conv.sparse.input.begin) {
        float values[N * lanes];
        for (int i = 0; i < N; i++) v[i].store(values + i * lanes);
        depthwise_sparse(conv, pixel, c0, n, values);
        for (int i = 0; i < N; i++) v[i] = F32::load(values + i * lanes);
    }
    run_program<N>(conv.program, v, pixel, c0, n);
}

template <int N>
inline void depthwise_channels(const Depthwise& conv, const uint8_t* const* pointers, int32_t pixel, int c0, int n) {
    const int64_t row = (conv.in.c + 63) / 64 * 64;
    I32 acc[N];
    for (int i = 0; i < N; i++) acc[i] = I32::load(conv.start + c0 + i * lanes);
    for (int t = 0; t < conv.taps; t++)
        for (int i = 0; i < N; i++)
            acc[i] = acc[i] + I32::load_u8(pointers[t] + c0 + i * lanes) *
                                  I32::load_s8(conv.weight + t * row + c0 + i * lanes);
    depthwise_finish<N>(conv, acc, pixel, c0, n);
}

static void depthwise(const Depthwise& conv, Pixels pixels) {
    const Window window(conv);
    const uint8_t* pointers[max_taps];
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t pixel = pixels.at(i);
        window.fill(pixel, pointers);
        int c = 0;
        for (; c + 4 * lanes <= conv.in.c; c += 4 * lanes)
            depthwise_channels<4>(conv, pointers, pixel, c, 4 * lanes);
        for (; c < conv.in.c; c += lanes)
            depthwise_channels<1>(conv, pointers, pixel, c, conv.in.c - c < lanes ? conv.in.c - c : lanes);
    }
}

}  // namespace vq::VQ_ISA
