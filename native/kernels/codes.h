// The commonest program by far, an activation's clamp and then codes, as one step of its own.
#pragma once

namespace vq::VQ_ISA {

// min(max(x, lo), hi) · inverse = min(max(x · inverse, lo · inverse), hi · inverse) to the last bit, because rounding
// keeps order: so a clamp joins the clamp of the grid.
struct Codes {
    bool on = false;
    float low = 0, high = 0, inverse = 1;  // of x · inverse
    int32_t zero = 0;
    uint8_t* out = nullptr;
    int64_t stride = 0;
    Track track;
    // Dense + Sparse: the step that has a sparse part, or null; the ends of the clamp before it.
    const Step* staged = nullptr;
    float from = -INFINITY, to = INFINITY;

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
            from = first.a, to = first.b;
            const float begin = from * inverse, end = to * inverse;
            // The grid's clamp comes last, so its ends win.
            low = begin > low ? (begin < high ? begin : high) : low;
            high = end < high ? (end > low ? end : low) : high;
        }
        zero = store.grid.zero;
        out = store.out.u8();
        stride = store.out.stride;
        track = store.track;
        if (store.staged.counts) staged = &store;
        on = codes_are_staged || !staged;
    }
};

// Followed codes are compared with what is held, in buffers that no cache keeps from frame to frame: 64 channels of a
// pixel that comes soon.
inline __attribute__((always_inline)) void fetch_codes(const Codes& codes, int64_t pixel, int c0) {
    if (!codes.track.delta) return;
    __builtin_prefetch(codes.out + pixel * codes.stride + c0, 1);
    if (codes.track.changes) __builtin_prefetch(codes.track.delta + pixel * codes.stride + c0, 1);
}

}  // namespace
