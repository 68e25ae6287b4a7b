// The addresses of what an output pixel of a convolution reads, u8: convolution by indirection, so that any set of
// pixels costs its share, and nothing is copied into columns.
#pragma once
#include <cstddef>

#include "ending.h"

namespace vq::VQ_ISA {

// Where a tile's taps lie in the input, and how its values become codes.
struct Taps {
    const Conv& conv;
    const Codes codes;
    const Ending ending;
    int32_t top = 0, bottom = 0, left = 0, right = 0;  // the reach of the taps
    ptrdiff_t row, column;
    bool pointwise;  // output pixel p reads input pixel p alone
    int32_t run;  // inside the input so many taps are one with as many more groups
    int32_t row_end;  // behind the input columns of a row of outputs

    explicit Taps(const Conv& c)
        : conv(c), codes(c.program), ending(c.program), row(ptrdiff_t(c.in.w) * c.in.stride), column(c.in.stride),
          run(run_of_taps(c)) {
        top = bottom = c.dy[0];
        left = right = c.dx[0];
        for (int t = 1; t < c.taps; t++) {
            top = c.dy[t] < top ? c.dy[t] : top;
            bottom = c.dy[t] > bottom ? c.dy[t] : bottom;
            left = c.dx[t] < left ? c.dx[t] : left;
            right = c.dx[t] > right ? c.dx[t] : right;
        }
        pointwise = c.taps == 1 && top == 0 && left == 0 && c.stride_y == 1 && c.stride_x == 1 && c.step_y == 1 &&
                    c.step_x == 1 && c.in.w == c.out.w && c.in.h >= c.out.h;
        row_end = (c.out.w - c.phase_x + c.step_x - 1) / c.step_x * c.stride_x;
    }

    // The input place of the tap (0, 0) of an output pixel, in the convolution's own grid.
    void place(int32_t pixel, int32_t& y, int32_t& x) const {
        const int32_t out_y = pixel / conv.out.w, out_x = pixel - out_y * conv.out.w;
        y = (conv.step_y == 1 ? out_y : (out_y - conv.phase_y) / conv.step_y) * conv.stride_y;
        x = (conv.step_x == 1 ? out_x : (out_x - conv.phase_x) / conv.step_x) * conv.stride_x;
    }
    bool mine(int32_t pixel) const {
        if (conv.step_y == 1 && conv.step_x == 1) return true;
        const int32_t y = pixel / conv.out.w, x = pixel - y * conv.out.w;
        return y % conv.step_y == conv.phase_y && x % conv.step_x == conv.phase_x;
    }
    // The next of the pixels from `i` on that are mine, `most` at most; `i` moves behind them. Where all pixels are
    // asked for, those of other phases are stepped over, not looked at.
    int take(Pixels pixels, int64_t& i, int32_t* tile, int most) const {
        int m = 0;
        if (!pixels.list && conv.step_y == 1 && conv.step_x == 1) {
            m = pixels.end - i < most ? int(pixels.end - i) : most;
            for (int j = 0; j < m; j++) tile[j] = int32_t(i) + j;
            i += m;
            return m;
        }
        if (pixels.list) {
            for (; i < pixels.end && m < most; i++)
                if (mine(pixels.at(i))) tile[m++] = pixels.at(i);
            return m;
        }
        const int64_t w = conv.out.w;
        int64_t y = i / w;
        while (i < pixels.end && m < most) {
            const int64_t ahead = (conv.phase_x - (i - y * w) % conv.step_x + conv.step_x) % conv.step_x;
            if (y % conv.step_y != conv.phase_y || i + ahead >= (y + 1) * w) {
                i = ++y * w;
                continue;
            }
            int64_t next = i + ahead;
            const int64_t end = (y + 1) * w < pixels.end ? (y + 1) * w : pixels.end;
            for (; next < end && m < most; next += conv.step_x) tile[m++] = int32_t(next);
            i = next < end ? next : end;
        }
        return m;
    }
    bool inside(int32_t y, int32_t x) const {
        return y + top >= 0 && y + bottom < conv.in.h && x + left >= 0 && x + right < conv.in.w;
    }
    // The input pixel of a tap, or −1 outside.
    int64_t at(int32_t y, int32_t x, int tap) const {
        const int32_t iy = y + conv.dy[tap], ix = x + conv.dx[tap];
        return uint32_t(iy) < uint32_t(conv.in.h) && uint32_t(ix) < uint32_t(conv.in.w)
                   ? int64_t(iy) * conv.in.w + ix : -1;
    }
    // Fills pointers[tap · m + i] for the m pixels of a tile; returns how many taps each stands for.
    int fill(const int32_t* pixels, int m, const uint8_t** pointers) const {
        if (pointwise) {
            for (int i = 0; i < m; i++) pointers[i] = conv.in.u8() + pixels[i] * column;
            return 1;
        }
        const uint8_t* base[16];
        int32_t ys[16], xs[16];
        place(pixels[0], ys[0], xs[0]);
        // Most tiles are neighbours in one row, away from the edges.
        const int32_t last = xs[0] + (m - 1) * conv.stride_x;
        if (pixels[m - 1] - pixels[0] == (m - 1) * conv.step_x && last < row_end && inside(ys[0], xs[0]) &&
            inside(ys[0], last)) {
            const uint8_t* first = conv.in.u8() + ys[0] * row + xs[0] * column;
            for (int t = 0; t < conv.taps; t += run, pointers += m) {
                const uint8_t* p = first + (conv.dy[t] * row + conv.dx[t] * column);
                for (int i = 0; i < m; i++, p += conv.stride_x * column) pointers[i] = p;
            }
            return run;
        }
        bool all = true;
        for (int i = 0; i < m; i++) {
            // Most pixels follow their neighbour in the same row: no division then.
            if (i && pixels[i] == pixels[i - 1] + conv.step_x && xs[i - 1] + conv.stride_x < row_end) {
                ys[i] = ys[i - 1];
                xs[i] = xs[i - 1] + conv.stride_x;
            } else if (i) place(pixels[i], ys[i], xs[i]);
            all &= inside(ys[i], xs[i]);
            base[i] = conv.in.u8() + ys[i] * row + xs[i] * column;
        }
        const int each = all ? run : 1;
        for (int t = 0; t < conv.taps; t += each, pointers += m) {
            const ptrdiff_t offset = conv.dy[t] * row + conv.dx[t] * column;
            if (all)
                for (int i = 0; i < m; i++) pointers[i] = base[i] + offset;
            else
                for (int i = 0; i < m; i++) pointers[i] = at(ys[i], xs[i], t) >= 0 ? base[i] + offset : conv.zeros;
        }
        return each;
    }
};

}  // namespace vq::VQ_ISA
