// Max and average pooling of a window or of the whole map, float32 (averages add in float64), one pixel × 4 vectors of
// channels, any instruction set.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

// What the average divides by along one axis: the taps inside, or those of the padding too. A window that hangs
// over the padding (PyTorch's ceil mode) is cut there in both.
inline int32_t counted(int32_t start, int32_t kernel, int32_t size, int32_t padding, Span inside, bool count_padding) {
    if (!count_padding) return inside.last - inside.first;
    const int32_t end = start + kernel, limit = size + padding;
    return (end < limit ? end : limit) - start;
}

static void pool(const Pool& a, Pixels pixels) {
    const int64_t next_column = a.in.stride * a.dilation_x, next_row = a.in.stride * a.in.w * a.dilation_y;
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int32_t iy = y * a.stride_y - a.top, ix = x * a.stride_x - a.left;
        const Span rows = taps_inside(iy, a.kernel_h, a.dilation_y, a.in.h);
        const Span columns = taps_inside(ix, a.kernel_w, a.dilation_x, a.in.w);
        const float* window = a.in.f32() + (int64_t(iy) * a.in.w + ix) * a.in.stride;
        // Takes every value of the window into the v of its channels, in row-major order.
        const auto each = [&](auto& v, int c, auto take) __attribute__((always_inline)) {
            for (int32_t i = rows.first; i < rows.last; i++) {
                const float* in = window + i * next_row + columns.first * next_column + c;
                for (int32_t j = columns.first; j < columns.last; j++, in += next_column) {
                    int k = 0;
                    for (auto& e : v) take(e, F32::load(in + lanes * k++));
                }
            }
        };
        if (a.kind == PoolKind::max) {
            fill_pixel(a.program, p, [&](auto& v, int c) __attribute__((always_inline)) {
                for (F32& e : v) e = F32::set1(-__builtin_inff());
                each(v, c, [](F32& best, F32 e) { best = F32::max(e, best); });
            });
        } else {
            const int32_t count = counted(iy, a.kernel_h, a.in.h, a.bottom, rows, a.count_padding) *
                                  counted(ix, a.kernel_w, a.in.w, a.right, columns, a.count_padding);
            const bool empty = rows.first >= rows.last || columns.first >= columns.last;
            fill_pixel(a.program, p, [&](auto& v, int c) __attribute__((always_inline)) {
                Sum sums[sizeof(v) / sizeof(F32)];
                for (Sum& sum : sums) sum = Sum::zero();
                each(sums, c, [](Sum& sum, F32 e) { sum.add(e); });
                int k = 0;
                for (F32& e : v) e = sums[k++].over(empty || a.kind == PoolKind::sum ? 1 : count);
            });
        }
    });
}

}  // namespace vq::VQ_ISA
