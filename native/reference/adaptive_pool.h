// Adaptive average pooling, one value at a time.
#pragma once
#include <cmath>

namespace vq::reference {

static void adaptive_pool(const AdaptivePool& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        const int top = int(std::floor(double(y) * a.in.h / a.out.h));
        const int left = int(std::floor(double(x) * a.in.w / a.out.w));
        const int bottom = int(std::ceil((y + 1.0) * a.in.h / a.out.h));
        const int right = int(std::ceil((x + 1.0) * a.in.w / a.out.w));
        for (int c = 0; c < a.in.c; c++) {
            double sum = 0;
            for (int iy = top; iy < bottom; iy++)
                for (int ix = left; ix < right; ix++)
                    sum += double(a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c]);
            const double count = double(bottom - top) * double(right - left);
            run_program(a.program, float(sum / count), p, c);
        }
    }
}

}  // namespace vq::reference
