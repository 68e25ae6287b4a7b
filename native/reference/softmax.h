// Softmax over channels, one value at a time.
#pragma once
#include <algorithm>

namespace vq::reference {

static void softmax(const Softmax& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        const float largest = *std::max_element(in, in + a.in.c);
        double sum = 0;
        for (int c = 0; c < a.in.c; c++) sum += double(exponential(in[c] - largest));
        for (int c = 0; c < a.in.c; c++) run_program(a.program, exponential(in[c] - largest) / float(sum), p, c);
    }
}

}  // namespace vq::reference
