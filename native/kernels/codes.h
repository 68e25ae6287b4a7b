// An activation's clamp and then codes, float32 to u8, as one step of its own: what the quick ways of AVX2 and AVX-512
// have in common.
#pragma once
#include "program.h"

namespace vq::VQ_ISA {

static_assert(64 % lanes == 0, "a bit for each of 64 channels");

// min(max(x, lo), hi) · inverse = min(max(x · inverse, lo · inverse), hi · inverse) to the last bit, because rounding
// keeps order: so a clamp joins the clamp of the grid.
struct Codes {
    bool on = false;
    float low = 0, high = 0, inverse = 1;  // of x · inverse
    int32_t zero = 0;
    uint8_t* out = nullptr;
    int64_t stride = 0;
    Track track;
    // Dense + Sparse: the step that has a sparse part, or null; the clamp before it, or null.
    const Step *staged = nullptr, *clamp = nullptr;

    explicit Codes(const Program& program) {
        const int count = program.count;
        if (count < 1 || count > 2 || program.steps[count - 1].kind != Do::store_codes) return;
        const Step& store = program.steps[count - 1];
        inverse = store.grid.inverse;
        low = float(store.grid.low - store.grid.zero);
        high = float(store.grid.high - store.grid.zero);
        if (count == 2) {
            const Step& first = program.steps[0];
            if (first.kind != Do::clamp || first.a > first.b) return;
            clamp = &first;
            const float begin = first.a * inverse, end = first.b * inverse;
            // The grid's clamp comes last, so its ends win.
            low = begin > low ? (begin < high ? begin : high) : low;
            high = end < high ? (end > low ? end : low) : high;
        }
        zero = store.grid.zero;
        out = store.out.u8();
        stride = store.out.stride;
        track = store.track;
        if (store.staged.counts) staged = &store;
        on = true;
    }
};

// Dense + Sparse: bit i is whether value i of up to 64 lies outside the grid, after the clamp; `values` gets them.
template <int N>
inline __attribute__((always_inline)) uint64_t outside_bits(const Codes& codes, const Outside& outside,
                                                            const F32 (&v)[N], int n, float* values) {
    uint64_t mask = 0;
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) {
        const F32 x = codes.clamp ? clamp(v[i], codes.clamp->a, codes.clamp->b) : v[i];
        x.store(values + lanes * i);
        mask |= uint64_t(mask_outside(x, outside)) << lanes * i;
    }
    return n < 64 ? mask & ((uint64_t(1) << n) - 1) : mask;
}

// Stages those of m ≤ 16 pixels, whose codes are stored already; masks lose their bits. values: pixels 64 apart. How
// many a pixel has is anyone's guess, so one loop goes over them all, without a branch between pixels.
inline void stage_few(const Codes& codes, uint64_t* masks, const float* values, const int32_t* pixels, int m, int c0) {
    const Step& step = *codes.staged;
    int holding[16], holders = 0, all = 0;
    for (int j = 0; j < m; j++) {
        if (c0 == 0) step.staged.counts[pixels[j]] = 0;
        holding[holders] = j;
        holders += masks[j] != 0;
        all += __builtin_popcountll(masks[j]);
    }
    for (const int* j = holding; all > 0; all--) {
        uint64_t& mask = masks[*j];
        const int c = __builtin_ctzll(mask);
        const int64_t pixel = pixels[*j];
        const float dense = float(codes.out[pixel * codes.stride + c0 + c] - codes.zero) * step.grid.scale;
        const uint32_t element = nearest_half(values[64 * *j + c] - dense) << 16 | uint32_t(c0 + c);
        int count = step.staged.counts[pixel];
        keep_elements(step, pixel, count, &element, 1);
        step.staged.counts[pixel] = uint16_t(count);
        mask &= mask - 1;
        j += mask == 0;
    }
}

// Followed codes are compared with what is held, in buffers that no cache keeps from frame to frame: 64 channels of a
// pixel that comes soon.
inline __attribute__((always_inline)) void fetch_codes(const Codes& codes, int64_t pixel, int c0) {
    if (!codes.track.delta) return;
    __builtin_prefetch(codes.out + pixel * codes.stride + c0, 1);
    if (codes.track.changes) __builtin_prefetch(codes.track.delta + pixel * codes.stride + c0, 1);
}

}  // namespace vq::VQ_ISA
