// Concat, slice, pad and pixel shuffle, one value at a time.
#pragma once
#include <algorithm>

namespace vq::reference {

inline float element(const Tensor& in, int32_t y, int32_t x, int32_t c) {
    return in.f32()[(int64_t(y) * in.w + x) * in.stride + c];
}

inline float concat(const Move& a, int32_t y, int32_t x, int32_t c) {
    int k = 0;
    for (; c >= a.in[k].c; k++) c -= a.in[k].c;
    return element(a.in[k], y, x, c);
}

inline float slice(const Move& a, int32_t y, int32_t x, int32_t c) {
    int32_t index[4] = {0, y, x, c};
    index[a.dim] = a.start + index[a.dim] * a.every;
    return element(*a.in, index[1], index[2], index[3]);
}

// Index i in the unpadded tensor of the given size: mirrored without its edge, or the nearest.
inline int32_t reflect(int32_t i, int32_t size) { return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i; }
inline int32_t replicate(int32_t i, int32_t size) { return std::clamp(i, 0, size - 1); }

inline float pad(const Move& a, int32_t y, int32_t x, int32_t c) {
    const Tensor& in = *a.in;
    y -= a.top, x -= a.left, c -= a.front;
    if (a.kind == MoveKind::pad_reflect)
        return element(in, reflect(y, in.h), reflect(x, in.w), reflect(c, in.c));
    if (a.kind == MoveKind::pad_replicate)
        return element(in, replicate(y, in.h), replicate(x, in.w), replicate(c, in.c));
    const bool inside = y >= 0 && y < in.h && x >= 0 && x < in.w && c >= 0 && c < in.c;
    return inside ? element(in, y, x, c) : a.value;
}

inline float pixel_shuffle(const Move& a, int32_t y, int32_t x, int32_t c) {
    const int32_t r = a.factor, part = y % r * r + x % r;
    const int32_t from = a.kind == MoveKind::shuffle_crd ? c * r * r + part : part * a.out.c + c;
    return element(*a.in, y / r, x / r, from);
}

static void move(const Move& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        for (int c = 0; c < a.out.c; c++) {
            float value = 0;
            switch (a.kind) {
                case MoveKind::concat: value = concat(a, y, x, c); break;
                case MoveKind::slice: value = slice(a, y, x, c); break;
                case MoveKind::pad_constant:
                case MoveKind::pad_reflect:
                case MoveKind::pad_replicate: value = pad(a, y, x, c); break;
                case MoveKind::shuffle_crd:
                case MoveKind::shuffle_dcr: value = pixel_shuffle(a, y, x, c); break;
            }
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace vq::reference
