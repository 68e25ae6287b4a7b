// Max and average pooling, one value at a time.
#pragma once

namespace vq::reference {

static void pool(const Pool& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        for (int c = 0; c < a.in.c; c++) {
            float largest = -INFINITY;
            double sum = 0;
            int32_t inside = 0, with_padding = 0;
            for (int ky = 0; ky < a.kernel_h; ky++)
                for (int kx = 0; kx < a.kernel_w; kx++) {
                    const int32_t iy = y * a.stride_y - a.top + ky * a.dilation_y;
                    const int32_t ix = x * a.stride_x - a.left + kx * a.dilation_x;
                    if (iy < a.in.h + a.bottom && ix < a.in.w + a.right) with_padding++;
                    if (iy < 0 || iy >= a.in.h || ix < 0 || ix >= a.in.w) continue;
                    const float value = a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c];
                    if (value > largest) largest = value;
                    sum += double(value);
                    inside++;
                }
            const int32_t count = a.count_padding ? with_padding : inside;
            const float average = inside ? float(sum / count) : 0;
            run_program(a.program, a.kind == PoolKind::max ? largest : average, p, c);
        }
    }
}

}  // namespace vq::reference
