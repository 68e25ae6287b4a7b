// Operators that hand each pixel of their input to the program: map (float32) and dequantize (u8), any instruction set.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

static void map(const Map& a, Pixels pixels) {
    Runner run(a.program);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        run.pixel(p, [&](int c) { return F32::load(in + c); });
    }
}

// Adds S of a pixel to the channels from c.
inline F32 with_sparse(F32 dense, const Sparse& sparse, int64_t pixel, int c) {
    float values[lanes];
    dense.store(values);
    for (int32_t e = sparse.begin[pixel]; e < sparse.begin[pixel + 1]; e++) {
        const int lane = int(sparse.elements[e].channel) - c;
        if (lane >= 0 && lane < lanes) values[lane] = values[lane] + sparse.elements[e].value;
    }
    return F32::load(values);
}

static void dequantize(const Dequantize& a, Pixels pixels) {
    Runner run(a.program);
    const I32 zero = I32::set1(a.grid.zero);
    const F32 scale = F32::set1(a.grid.scale);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const uint8_t* in = a.in.u8() + p * a.in.stride;
        run.pixel(p, [&](int c) {
            const F32 dense = to_float(I32::load_u8(in + c) - zero) * scale;
            return a.sparse.begin ? with_sparse(dense, a.sparse, p, c) : dense;
        });
    }
}

}  // namespace vq::VQ_ISA
