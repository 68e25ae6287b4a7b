// What the sparse part of a convolution's input adds, float32, up to 64 channels in vectors, any instruction set. A
// window holds few elements, and how many differs from pixel to pixel: in loops over windows a CPU would mostly go the
// wrong way. So the loops are over the elements that a run of pixels sees, and each adds its share to the sums of the
// pixel that it meets.
#pragma once
#include "isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

static_assert(16 % lanes == 0, "16 channels are whole vectors");

// As sparse_sums, for n pixels side by side, the first one's tap (0, 0) at (y, x); without S the sums stay as they are.
template <int V>
inline bool add_sparse_run(const Conv& conv, const Block& b, int32_t y, int32_t x, int n, float* sums) {
    constexpr int vectors = V * 16 / lanes;
    const SparseTaps& s = conv.sparse;
    const int32_t group = b.first / s.out_each;
    bool any = false;
    for (int t = 0; t < s.taps; t++) {
        const int32_t iy = y + s.dy[t], left = x + s.dx[t], right = left + (n - 1) * conv.stride_x + 1;
        const int32_t first = left > 0 ? left : 0, last = right < conv.in.w ? right : conv.in.w;
        if (uint32_t(iy) >= uint32_t(conv.in.h) || first >= last) continue;
        const int32_t* begin = s.input.begin + int64_t(iy) * conv.in.w;
        const SparseElement *e = s.input.elements + begin[first], *end = s.input.elements + begin[last];
        if (e == end) continue;
        if (!any) __builtin_memset(sums, 0, 256 * size_t(n));
        any = true;
        const float* weights = s.weight + int64_t(t) * conv.in.c * s.row + b.first % s.out_each;
        for (; e < end; e++) {
            int32_t pixel = int32_t(e->column) - left;
            if (conv.stride_x != 1) {
                if (pixel % conv.stride_x) continue;
                pixel /= conv.stride_x;
            }
            if (uint32_t(e->channel - group * s.in_each) >= uint32_t(s.in_each)) continue;
            const float* weight = weights + e->channel * s.row;
            float* sum = sums + 64 * pixel;
            const F32 value = F32::set1(e->value);
#pragma GCC unroll 16
            for (int i = 0; i < vectors; i++)
                (F32::load(sum + i * lanes) + value * F32::load(weight + i * lanes)).store(sum + i * lanes);
        }
    }
    return any;
}

// Σ S · weight over the windows of m pixels for one block, pixels 64 floats apart; y, x: where their tap (0, 0) lies.
// False where the windows hold no S.
template <int V>
static __attribute__((noinline)) bool sparse_sums(const Conv& conv, const Block& b, const int32_t* y, const int32_t* x,
                                                  int m, float* sums) {
    bool any = false;
    for (int first = 0, last; first < m; first = last) {
        for (last = first + 1; last < m && y[last] == y[first] && x[last] == x[last - 1] + conv.stride_x;) last++;
        const bool run = add_sparse_run<V>(conv, b, y[first], x[first], last - first, sums + 64 * first);
        if (run && !any) __builtin_memset(sums, 0, 256 * size_t(first));
        if (!run && any) __builtin_memset(sums + 64 * first, 0, 256 * size_t(last - first));
        any |= run;
    }
    return any;
}

}  // namespace vq::VQ_ISA
