// Softmax over the channels of each pixel, float32, any instruction set: e^(x − max) / Σ e^(x − max), the sum in
// float64.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

static void softmax(const Softmax& a, Pixels pixels) {
    Runner run(a.program);
    const int32_t channels = a.in.c;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        float largest = in[0];
        for (int c = 1; c < channels; c++) largest = in[c] > largest ? in[c] : largest;
        // The exponentials of one vector are computed twice rather than kept: no bound on the channels.
        const auto exponentials = [&](int c, float (&e)[lanes]) __attribute__((always_inline)) {
            for (int k = 0; k < lanes; k++) e[k] = exponential(in[c + k] - largest);
        };
        double sum = 0;
        float e[lanes];
        for (int c = 0; c < channels; c += lanes) {
            exponentials(c, e);
            const int n = channels - c < lanes ? channels - c : lanes;
            for (int k = 0; k < n; k++) sum += double(e[k]);
        }
        const F32 divisor = F32::set1(float(sum));
        run.pixel(p, [&](int c) __attribute__((always_inline)) {
            exponentials(c, e);
            return F32::load(e) / divisor;
        });
    }
}

}  // namespace vq::VQ_ISA
