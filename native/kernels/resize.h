// Resizing, bilinear and nearest, float32, one pixel at a time, any instruction set; with PyTorch's coordinates.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

inline int32_t nearest_source(int32_t i, float scale, int32_t size) {
    const int32_t source = int32_t(float(i) * scale);
    return source < size - 1 ? source : size - 1;
}

// Output coordinate i lies between input coordinates `first` and `second`, with these weights.
struct Between {
    int32_t first, second;
    float first_weight, second_weight;
};
inline Between bilinear_source(int32_t i, float scale, bool align_corners, int32_t size) {
    float source = align_corners ? float(i) * scale : (float(i) + 0.5f) * scale - 0.5f;
    source = source > 0.0f ? source : 0.0f;
    const int32_t whole = int32_t(source), first = whole < size - 1 ? whole : size - 1;
    float part = source - float(first);
    part = part < 1.0f ? part : 1.0f;
    return {first, first + (first < size - 1), 1.0f - part, part};
}

static void resize_nearest(const Resize& a, Pixels pixels) {
    Runner run(a.program);
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int64_t iy = nearest_source(y, a.scale_y, a.in.h), ix = nearest_source(x, a.scale_x, a.in.w);
        const float* in = a.in.f32() + (iy * a.in.w + ix) * a.in.stride;
        run.pixel(p, [&](int c) { return F32::load(in + c); });
    });
}

static void resize_bilinear(const Resize& a, Pixels pixels) {
    Runner run(a.program);
    int32_t row = -1;
    const float *upper = nullptr, *lower = nullptr;
    F32 upper_weight = F32::set1(0), lower_weight = upper_weight;
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        if (y != row) {
            const Between rows = bilinear_source(y, a.scale_y, a.align_corners, a.in.h);
            upper = a.in.f32() + int64_t(rows.first) * a.in.w * a.in.stride;
            lower = a.in.f32() + int64_t(rows.second) * a.in.w * a.in.stride;
            upper_weight = F32::set1(rows.first_weight);
            lower_weight = F32::set1(rows.second_weight);
            row = y;
        }
        const Between columns = bilinear_source(x, a.scale_x, a.align_corners, a.in.w);
        const int64_t left = columns.first * a.in.stride, right = columns.second * a.in.stride;
        const F32 left_weight = F32::set1(columns.first_weight), right_weight = F32::set1(columns.second_weight);
        run.pixel(p, [&](int c) __attribute__((always_inline)) {
            const F32 up = F32::load(upper + left + c) * left_weight + F32::load(upper + right + c) * right_weight;
            const F32 low = F32::load(lower + left + c) * left_weight + F32::load(lower + right + c) * right_weight;
            return up * upper_weight + low * lower_weight;
        });
    });
}

static void resize(const Resize& a, Pixels pixels) {
    if (a.mode == ResizeMode::nearest) resize_nearest(a, pixels);
    else resize_bilinear(a, pixels);
}

}  // namespace vq::VQ_ISA
