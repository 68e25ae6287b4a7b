// Adaptive average pooling, float32 added in float64, one pixel × 4 vectors of channels, any instruction set: windows
// that share the input out as evenly as whole pixels allow.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

static void adaptive_pool(const AdaptivePool& a, Pixels pixels) {
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int64_t top = int64_t(y) * a.in.h / a.out.h, left = int64_t(x) * a.in.w / a.out.w;
        const int64_t bottom = ((int64_t(y) + 1) * a.in.h + a.out.h - 1) / a.out.h;
        const int64_t right = ((int64_t(x) + 1) * a.in.w + a.out.w - 1) / a.out.w;
        const double count = double((bottom - top) * (right - left));
        fill_pixel(a.program, p, [&](auto& v, int c) __attribute__((always_inline)) {
            Sum sums[sizeof(v) / sizeof(F32)];
            for (Sum& sum : sums) sum = Sum::zero();
            for (int64_t i = top; i < bottom; i++) {
                const float* in = a.in.f32() + (i * a.in.w + left) * a.in.stride + c;
                for (int64_t j = left; j < right; j++, in += a.in.stride) {
                    int k = 0;
                    for (Sum& sum : sums) sum.add(F32::load(in + lanes * k++));
                }
            }
            int k = 0;
            for (F32& e : v) e = sums[k++].over(count);
        });
    });
}

}  // namespace vq::VQ_ISA
