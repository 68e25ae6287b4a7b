// Nearest and bilinear resizing, one value at a time.
#pragma once
#include <cmath>

namespace vq::reference {

inline int32_t nearest(int32_t out, float scale, int32_t size) {
    return std::min(int32_t(std::floor(float(out) * scale)), size - 1);
}

// PyTorch's area_pixel_compute_source_index: where the centre of an output pixel lies in the input.
inline float source_index(int32_t out, float scale, bool align_corners) {
    if (align_corners) return scale * float(out);
    const float centre = scale * (float(out) + 0.5f) - 0.5f;
    return centre < 0 ? 0 : centre;
}

inline float bilinear(const Resize& a, int32_t y, int32_t x, int c) {
    const float sy = source_index(y, a.scale_y, a.align_corners), sx = source_index(x, a.scale_x, a.align_corners);
    const int32_t y0 = std::min(int32_t(sy), a.in.h - 1), x0 = std::min(int32_t(sx), a.in.w - 1);
    const int32_t y1 = std::min(y0 + 1, a.in.h - 1), x1 = std::min(x0 + 1, a.in.w - 1);
    const float wy = std::min(sy - float(y0), 1.0f), wx = std::min(sx - float(x0), 1.0f);
    const auto at = [&](int32_t iy, int32_t ix) {
        return a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c];
    };
    const float upper = at(y0, x0) * (1 - wx) + at(y0, x1) * wx;
    const float lower = at(y1, x0) * (1 - wx) + at(y1, x1) * wx;
    return upper * (1 - wy) + lower * wy;
}

static void resize(const Resize& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        const int64_t iy = nearest(y, a.scale_y, a.in.h), ix = nearest(x, a.scale_x, a.in.w);
        for (int c = 0; c < a.in.c; c++) {
            const float value = a.mode == ResizeMode::bilinear ? bilinear(a, y, x, c)
                                                               : a.in.f32()[(iy * a.in.w + ix) * a.in.stride + c];
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace vq::reference
