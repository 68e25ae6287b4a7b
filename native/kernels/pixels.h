// How the kernels go through output pixels, and through the channels of one.
#pragma once

namespace vq::VQ_ISA {

// Calls f(pixel, row, column). Divides only where the row changes.
template <class F>
inline __attribute__((always_inline)) void each_pixel(Pixels pixels, int32_t w, F f) {
    int32_t y = 0;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i);
        if (uint32_t(p - y * w) >= uint32_t(w)) y = p / w;
        f(p, y, p - y * w);
    }
}

// As run_pixel, for operators that fill several vectors faster together than one after the other:
// `fill(v, c)` sets all vectors of the array v, for the channels from c.
template <class Fill>
inline __attribute__((always_inline)) void fill_pixel(const Program& program, int64_t pixel, Fill fill) {
    for (int c = 0; c < program.channels; c += 4 * lanes) {
        const int n = program.channels - c;
        if (n > 3 * lanes) {
            F32 v[4];
            fill(v, c);
            run_program<4>(program, v, pixel, c, n < 4 * lanes ? n : 4 * lanes);
        } else if (n > 2 * lanes) {
            F32 v[3];
            fill(v, c);
            run_program<3>(program, v, pixel, c, n);
        } else if (n > lanes) {
            F32 v[2];
            fill(v, c);
            run_program<2>(program, v, pixel, c, n);
        } else {
            F32 v[1];
            fill(v, c);
            run_program<1>(program, v, pixel, c, n);
        }
    }
}

// The taps of a window that lie inside: first … last − 1, of `count` taps at start, start + dilation, …
struct Span {
    int32_t first, last;
};
inline Span taps_inside(int32_t start, int32_t count, int32_t dilation, int32_t size) {
    Span t{0, count};
    if (start < 0) t.first = (-start + dilation - 1) / dilation;
    if (start + (count - 1) * dilation >= size) t.last = size > start ? (size - start - 1) / dilation + 1 : 0;
    return t;
}

}  // namespace
