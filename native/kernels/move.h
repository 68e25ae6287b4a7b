// Rearrangements of float32 values: concat, join, slice, pad, pixel shuffle and arrange, one pixel at a time, any instruction set.
#pragma once
#include "pixels.h"

namespace vq::VQ_ISA {

// Where row, column or channel i of a padded tensor comes from, of `size`; −1: from outside.
inline int32_t padded_source(int32_t i, int32_t before, int32_t size, MoveKind kind) {
    i -= before;
    if (i >= 0 && i < size) return i;
    if (kind == MoveKind::pad_constant) return -1;
    if (kind == MoveKind::pad_replicate) return i < 0 ? 0 : size - 1;
    return i < 0 ? -i : 2 * (size - 1) - i;
}

// Vectors that lie in one input are read there, the others are put together.
static void concat(const Move& a, Pixels pixels) {
    Runner run(a.program);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        run.pixel(p, [&](int c) __attribute__((always_inline)) {
            const Tensor* in = a.in;
            while (c >= in->c) c -= in++->c;
            const F32 v = F32::load(in->f32() + p * in->stride + c);
            int have = in->c - c;
            if (have >= lanes || in + 1 == a.in + a.inputs) return v;
            float together[2 * lanes];
            v.store(together);
            while (have < lanes && ++in != a.in + a.inputs) {
                F32::load(in->f32() + p * in->stride).store(together + have);
                have += in->c;
            }
            return F32::load(together);
        });
    }
}

// The pixels of one input after those of the next, in the order of memory.
static void join(const Move& a, Pixels pixels) {
    Runner run(a.program);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const Tensor* in = a.in;
        int64_t q = p;
        while (q >= in->pixels()) q -= in++->pixels();
        const float* from = in->f32() + q * in->stride;
        run.pixel(p, [&](int c) { return F32::load(from + c); });
    }
}

static void arrange(const Move& a, Pixels pixels) {
    Runner run(a.program);
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in->f32() + a.from_pixel[p];
        if (!a.from_channel) run.pixel(p, [&](int c) { return F32::load(in + c); });
        else run.gather(p, [&](int c) { return in[a.from_channel[c]]; });
    }
}

static void slice(const Move& a, Pixels pixels) {
    Runner run(a.program);
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int64_t iy = a.dim == 1 ? a.start + int64_t(y) * a.every : y;
        const int64_t ix = a.dim == 2 ? a.start + int64_t(x) * a.every : x;
        const float* in = a.in->f32() + (iy * a.in->w + ix) * a.in->stride + (a.dim == 3 ? a.start : 0);
        if (a.dim != 3 || a.every == 1) {
            run.pixel(p, [&](int c) { return F32::load(in + c); });
            return;
        }
        run.gather(p, [&](int c) { return in[int64_t(c) * a.every]; });
    });
}

static void pad(const Move& a, Pixels pixels) {
    Runner run(a.program);
    const F32 value = F32::set1(a.value);
    const bool channels = a.front != 0 || a.in->c != a.out.c;
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int64_t iy = padded_source(y, a.top, a.in->h, a.kind), ix = padded_source(x, a.left, a.in->w, a.kind);
        if (iy < 0 || ix < 0) {
            run.pixel(p, [&](int) { return value; });
            return;
        }
        const float* in = a.in->f32() + (iy * a.in->w + ix) * a.in->stride;
        if (!channels) {
            run.pixel(p, [&](int c) { return F32::load(in + c); });
            return;
        }
        run.gather(p, [&](int c) {
            const int32_t ic = padded_source(c, a.front, a.in->c, a.kind);
            return ic < 0 ? a.value : in[ic];
        });
    });
}

// CRD: output channel c reads input channel c · r² + part; DCR: part · C + c, for part = (y mod r) · r + x mod r.
static void pixel_shuffle(const Move& a, Pixels pixels) {
    Runner run(a.program);
    const int32_t r = a.factor;
    each_pixel(pixels, a.out.w, [&](int64_t p, int32_t y, int32_t x) __attribute__((always_inline)) {
        const int32_t iy = y / r, ix = x / r, part = (y - iy * r) * r + x - ix * r;
        const float* in = a.in->f32() + (int64_t(iy) * a.in->w + ix) * a.in->stride;
        if (a.kind == MoveKind::shuffle_dcr) {
            run.pixel(p, [&](int c) { return F32::load(in + part * a.out.c + c); });
            return;
        }
        run.gather(p, [&](int c) { return in[int64_t(c) * r * r + part]; });
    });
}

static void move(const Move& a, Pixels pixels) {
    switch (a.kind) {
        case MoveKind::concat: concat(a, pixels); break;
        case MoveKind::join: join(a, pixels); break;
        case MoveKind::arrange: arrange(a, pixels); break;
        case MoveKind::slice: slice(a, pixels); break;
        case MoveKind::pad_constant:
        case MoveKind::pad_reflect:
        case MoveKind::pad_replicate: pad(a, pixels); break;
        case MoveKind::shuffle_crd:
        case MoveKind::shuffle_dcr: pixel_shuffle(a, pixels); break;
    }
}

}  // namespace vq::VQ_ISA
