// Layer norm over the channels of each pixel, float32, any instruction set: (x − mean) / √(variance + eps). Sums run in
// `norm_lanes` float64 numbers side by side, the same on every instruction set.
#pragma once
#include <cmath>

#include "pixels.h"

namespace vq::VQ_ISA {

// Σ (x − from), or of its square; channel c belongs to lane c modulo norm_lanes, and lanes are added in order.
template <bool squares>
inline double norm_sum(const float* in, int32_t channels, double from) {
    double sums[norm_lanes] = {};
    int32_t c = 0;
    for (; c + norm_lanes <= channels; c += norm_lanes)
        for (int k = 0; k < norm_lanes; k++) {
            const double d = double(in[c + k]) - from;
            sums[k] += squares ? d * d : d;
        }
    for (int k = 0; c + k < channels; k++) {
        const double d = double(in[c + k]) - from;
        sums[k] += squares ? d * d : d;
    }
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

static void layer_norm(const LayerNorm& a, Pixels pixels) {
    Runner run(a.program);
    const int32_t channels = a.in.c;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        const double mean = norm_sum<false>(in, channels, 0) / channels;
        const double variance = norm_sum<true>(in, channels, mean) / channels;
        const F32 shift = F32::set1(float(mean)), scale = F32::set1(float(1 / ::sqrt(variance + a.eps)));
        run.pixel(p, [&](int c) { return (F32::load(in + c) - shift) * scale; });
    }
}

}  // namespace vq::VQ_ISA
