// Convolution in floating point, one pixel × 4 vectors of channels, any instruction set, for the layers that a scheme
// leaves unquantized. At most `float_chunk` products are added in float32, and those sums in float64: errors do not
// grow with the layer.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

static void float_conv(const FloatConv& a, Pixels pixels) {
    const int32_t group_in = a.in.c / a.groups, group_out = a.out.c / a.groups;
    const int64_t row = (group_out + 63) / 64 * 64, group_size = int64_t(a.taps) * group_in * row;
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t out_y, int32_t out_x) __attribute__((always_inline)) {
        if (out_y % a.step_y != a.phase_y || out_x % a.step_x != a.phase_x) return;
        const int32_t y = out_y / a.step_y * a.stride_y, x = out_x / a.step_x * a.stride_x;
        // v = Σ over taps and input channels of one group, for its output channels from c
        const auto accumulate = [&](auto& v, int32_t group, int c) __attribute__((always_inline)) {
            constexpr int count = sizeof(v) / sizeof(F32);
            Sum sums[count];
            for (Sum& sum : sums) sum = Sum::zero();
            for (int32_t t = 0; t < a.taps; t++) {
                const int32_t iy = y + a.dy[t], ix = x + a.dx[t];
                if (iy < 0 || iy >= a.in.h || ix < 0 || ix >= a.in.w) continue;
                const float* in = a.in.f32() + (int64_t(iy) * a.in.w + ix) * a.in.stride + group * group_in;
                const float* weight = a.weight + group * group_size + int64_t(t) * group_in * row + c;
                for (int32_t first = 0; first < group_in; first += float_chunk) {
                    const int32_t last = first + float_chunk < group_in ? first + float_chunk : group_in;
                    for (F32& e : v) e = F32::set1(0);
                    for (int32_t i = first; i < last; i++, weight += row) {
                        const F32 value = F32::set1(in[i]);
                        int k = 0;
                        for (F32& e : v) e = e + value * F32::load(weight + lanes * k++);
                    }
                    for (int k = 0; k < count; k++) sums[k].add(v[k]);
                }
            }
            for (int k = 0; k < count; k++) v[k] = sums[k].rounded();
        };
        if (a.groups == 1) {
            fill_pixel(a.program, p, [&](auto& v, int c) __attribute__((always_inline)) {
                accumulate(v, 0, c);
                int k = 0;
                for (F32& e : v) e = e + F32::load(a.bias + c + lanes * k++);
            });
            return;
        }
        // The channels of a group need not fill a vector: each vector of the output is put together from the
        // groups it holds.
        run_pixel(a.program, p, [&](int c) __attribute__((always_inline)) {
            float together[lanes];
            F32::set1(0).store(together);
            const int last = c + lanes < a.out.c ? c + lanes : a.out.c;
            for (int at = c; at < last;) {
                const int32_t group = at / group_out, in_group = at - group * group_out;
                const int n = group_out - in_group < last - at ? group_out - in_group : last - at;
                F32 v[1];
                accumulate(v, group, in_group);
                v[0].store(together + at - c, n);
                at += n;
            }
            return F32::load(together) + F32::load(a.bias + c);
        });
    });
}

}  // namespace vq::VQ_ISA
