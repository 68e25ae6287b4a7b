// Depthwise convolution many pixels at a time, so that weights stay in registers or in the nearest cache: where the
// windows of up to 128 pixels lie.
#pragma once
#include "depthwise.h"

namespace vq::VQ_ISA {

// Output pixels in any order, and where in the input their windows lie. Tap t of place i lies at
// base[i] + offset[i · next + t]: at the same distances for all where windows lie inside the input (next = 0), and
// where they reach over its edge, some taps lie in a pixel of zeros.
struct Places {
    static constexpr int most = 128;
    int count = 0;
    const ptrdiff_t* offset;
    ptrdiff_t next;
    int32_t pixel[most];
    const uint8_t* base[most];
    Places(const ptrdiff_t* offset, ptrdiff_t next) : offset(offset), next(next) {}
};

// Places at the edge; up to `taps` taps.
class Edges {
public:
    static constexpr int taps = 64;
    Places places{offset_, taps};

    void add(const Window& window, int32_t pixel) {
        const uint8_t* pointers[taps];
        window.fill(pixel, pointers);
        const int count = window.conv.taps;
        const uint8_t* base = window.conv.in.u8();
        ptrdiff_t* offset = offset_ + places.count * taps;
        for (int t = 0; t < count; t++) offset[t] = ptrdiff_t(uintptr_t(pointers[t]) - uintptr_t(base));
        for (int t = count; t < (count + 3) / 4 * 4; t++) offset[t] = offset[0];  // met by weights of 0
        places.base[places.count] = base;
        places.pixel[places.count++] = pixel;
    }
    bool full() const { return places.count == most; }

private:
    static constexpr int most = 32;
    ptrdiff_t offset_[most * taps];
};

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Calls work(places) until all pixels are done, with places inside and with places at the edge.
template <class Work>
inline void by_places(const Depthwise& conv, const Window& window, Pixels pixels, const Work& work) {
    Places places(window.offset, 0);
    Edges edges;
    // The columns of the output whose windows lie inside.
    const int32_t first = (-window.left + conv.stride_x - 1) / conv.stride_x;
    const int32_t left = window.left < 0 ? first : 0;
    const int32_t fit = conv.in.w - window.right > 0 ? (conv.in.w - window.right - 1) / conv.stride_x + 1 : 0;
    const int32_t right = fit < conv.out.w ? fit : conv.out.w;  // the output ends first where padding is negative
    const ptrdiff_t step = ptrdiff_t(conv.stride_x) * conv.in.stride;
    int32_t y = 0, row = -conv.out.w;  // of the last pixel; the number of its row's first
    for (int64_t i = pixels.begin; i < pixels.end;) {
        const int32_t pixel = pixels.at(i);
        if (uint32_t(pixel - row) >= uint32_t(conv.out.w)) {
            y = pixel / conv.out.w;
            row = y * conv.out.w;
        }
        const int32_t in_y = y * conv.stride_y, x = pixel - row;
        if (in_y + window.top < 0 || in_y + window.bottom >= conv.in.h || x < left || x >= right) {
            if (conv.taps > Edges::taps) depthwise(conv, {pixels.list, i, i + 1});
            else edges.add(window, pixel);
            if (edges.full()) {
                work(edges.places);
                edges.places.count = 0;
            }
            i++;
            continue;
        }
        const uint8_t* base = conv.in.u8() + int64_t(in_y) * conv.in.w * conv.in.stride + x * step;
        // As many of its neighbours as follow in the row.
        int64_t count = smaller(right - x, pixels.end - i);
        count = smaller(count, Places::most - places.count);
        if (pixels.list) {
            int64_t same = 1;
            while (same < count && pixels.list[i + same] == pixel + same) same++;
            count = same;
        }
        for (int64_t k = 0; k < count; k++, base += step) {
            places.pixel[places.count + k] = int32_t(pixel + k);
            places.base[places.count + k] = base;
        }
        places.count += int(count);
        i += count;
        if (places.count == Places::most) {
            work(places);
            places.count = 0;
        }
    }
    work(places);
    work(edges.places);
}

}  // namespace vq::VQ_ISA
