// What the sparse part of a convolution's input adds, tap by tap.
#pragma once

namespace vq::VQ_ISA {

// Σ S · weight over the windows of m pixels for one block, pixels 64 floats apart; y, x: where their tap (0, 0) lies.
// False where the windows hold no S.
template <int V>
inline bool sums_by_tap(const Conv& conv, const Block& b, const int32_t* y, const int32_t* x, int m, float* sums) {
    constexpr int vectors = V * 16 / lanes;
    const SparseTaps& s = conv.sparse;
    const int32_t group = b.first / s.out_each;
    bool any = false;
    for (int j = 0; j < m; j++) {
        F32 sum[vectors];
        for (F32& v : sum) v = F32::set1(0);
        for (int t = 0; t < s.taps; t++) {
            const int32_t iy = y[j] + s.dy[t], ix = x[j] + s.dx[t];
            if (uint32_t(iy) >= uint32_t(conv.in.h) || uint32_t(ix) >= uint32_t(conv.in.w)) continue;
            const int32_t* begin = s.input.begin + int64_t(iy) * conv.in.w + ix;
            for (int32_t e = begin[0]; e < begin[1]; e++) {
                const int32_t channel = int32_t(s.input.elements[e].place) - ix * conv.in.c;
                if (uint32_t(channel - group * s.in_each) >= uint32_t(s.in_each)) continue;
                const float* weight = s.weight + (int64_t(t) * conv.in.c + channel) * s.row + b.first % s.out_each;
                const F32 value = F32::set1(s.input.elements[e].value);
                for (int i = 0; i < vectors; i++) sum[i] = sum[i] + value * F32::load(weight + i * lanes);
                any = true;
            }
        }
        for (int i = 0; i < vectors; i++) sum[i].store(sums + 64 * j + i * lanes);
    }
    return any;
}

}  // namespace
