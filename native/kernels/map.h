// Operators that hand each pixel of their input to the program: map and dequantize.
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

static void dequantize(const Dequantize& a, Pixels pixels) {
    Runner run(a.program);
    const I32 zero = I32::set1(a.grid.zero);
    const F32 scale = F32::set1(a.grid.scale);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const uint8_t* in = a.in.u8() + p * a.in.stride;
        run.pixel(p, [&](int c) { return to_float(I32::load_u8(in + c) - zero) * scale; });
    }
}

}  // namespace
