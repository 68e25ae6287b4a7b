// Convolution in floating point, one value at a time.
#pragma once
#include <algorithm>

namespace vq::reference {

static void float_conv(const FloatConv& a, Pixels pixels) {
    const int32_t group_in = a.in.c / a.groups, group_out = a.out.c / a.groups;
    const int64_t row = (group_out + 63) / 64 * 64;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), out_y = p / a.out.w, out_x = p % a.out.w;
        if (out_y % a.step_y != a.phase_y || out_x % a.step_x != a.phase_x) continue;
        for (int c = 0; c < a.out.c; c++) {
            const int32_t group = c / group_out;
            double sum = 0;
            for (int t = 0; t < a.taps; t++) {
                const int32_t iy = out_y / a.step_y * a.stride_y + a.dy[t];
                const int32_t ix = out_x / a.step_x * a.stride_x + a.dx[t];
                if (iy < 0 || iy >= a.in.h || ix < 0 || ix >= a.in.w) continue;
                const float* in = a.in.f32() + (int64_t(iy) * a.in.w + ix) * a.in.stride + group * group_in;
                const float* weight = a.weight + (int64_t(group) * a.taps + t) * group_in * row;
                for (int first = 0; first < group_in; first += float_chunk) {
                    float part = 0;
                    for (int k = first; k < std::min(first + float_chunk, group_in); k++)
                        part = part + in[k] * weight[k * row + c % group_out];
                    sum += double(part);
                }
            }
            run_program(a.program, float(sum) + a.bias[c], p, c);
        }
    }
}

}  // namespace vq::reference
