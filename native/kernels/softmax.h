// Softmax over the channels of each pixel, float32, any instruction set: e^(x − max) / Σ e^(x − max). The sum runs in
// `norm_lanes` float64 numbers side by side, the same on every instruction set.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

constexpr int softmax_block = 2 * norm_lanes;  // exponentials that are computed together
constexpr int softmax_kept = 1024;             // of a pixel

inline float largest(const float* in, int32_t channels) {
    float most[norm_lanes];
    for (float& one : most) one = in[0];
    int32_t c = 0;
    for (; c + norm_lanes <= channels; c += norm_lanes)
        for (int k = 0; k < norm_lanes; k++) most[k] = in[c + k] > most[k] ? in[c + k] : most[k];
    for (int k = 0; c + k < channels; k++) most[k] = in[c + k] > most[k] ? in[c + k] : most[k];
    float all = most[0];
    for (const float one : most) all = one > all ? one : all;
    return all;
}

static void softmax(const Softmax& a, Pixels pixels) {
    Runner run(a.program);
    const int32_t channels = a.in.c;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        const F32 highest = F32::set1(largest(in, channels));
        const auto exponentials = [&](int c, float* e) __attribute__((always_inline)) {
            for (int k = 0; k < softmax_block; k += lanes) exponential(F32::load(in + c + k) - highest).store(e + k);
        };
        // What does not fit is computed twice rather than kept: no bound on the channels.
        float kept[softmax_kept], others[softmax_block];
        double sums[norm_lanes] = {}, sum = 0;
        for (int c = 0; c < channels; c += softmax_block) {
            float* e = c + softmax_block <= softmax_kept ? kept + c : others;
            exponentials(c, e);
            const int n = channels - c < softmax_block ? channels - c : softmax_block;
            int k = 0;
            for (; k + norm_lanes <= n; k += norm_lanes)
                for (int lane = 0; lane < norm_lanes; lane++) sums[lane] += double(e[k + lane]);
            for (int lane = 0; k + lane < n; lane++) sums[lane] += double(e[k + lane]);
        }
        for (const double one : sums) sum += one;
        const F32 divisor = F32::set1(float(sum));
        run.pixel(p, [&](int c) __attribute__((always_inline)) {
            if (c + softmax_block <= softmax_kept) return F32::load(kept + c) / divisor;
            exponentials(c, others);
            return F32::load(others) / divisor;
        });
    }
}

}  // namespace vq::VQ_ISA
