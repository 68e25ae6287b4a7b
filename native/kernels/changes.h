// Following what changed, any instruction set: the network's input (float32) into u8 codes, maps of changes (u16)
// through windows, and lists of pixels. Loops that compilers turn into vectors; one pixel at a time where they cannot.
#pragma once
#include "program.h"

namespace vq::VQ_ISA {

static_assert(lanes >= 4, "a pixel of the input is one vector");

static bool finite(const float* values, int64_t count) {
    uint32_t largest = 0;  // NaN and infinity have the largest exponent
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        __builtin_memcpy(&bits, values + i, 4);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest < 0x7f800000;
}

static void window_map(const WindowMap& m) {
    uint16_t* row = m.scratch + m.margin;
    const auto add = [](uint16_t a, uint16_t b) {
        const uint16_t s = uint16_t(a + b);
        return s < a ? uint16_t(0xFFFF) : s;
    };
    for (int32_t i = 1; i <= m.margin; i++) row[-i] = row[m.in_w + i - 1] = 0;
    for (int32_t y = m.out_first; y < m.out_last; y++) {
        uint16_t* out = m.out + int64_t(y) * m.out_w;
        for (int32_t x = 0; x < m.in_w; x++) row[x] = 0;
        for (int32_t r = 0; r < m.row_count; r++) {
            const int32_t from = y * m.stride_y + m.rows[r];
            if (from < 0 || from >= m.in_h) continue;
            const uint16_t* in = m.in + int64_t(from) * m.in_w;
            for (int32_t x = 0; x < m.in_w; x++) row[x] = add(row[x], in[x]);
        }
        // Along the row at full width, then every stride_x-th: only neighbours can be added as vectors.
        constexpr int32_t most = 512;
        uint16_t sums[most];
        const int32_t each = (most - 1) / m.stride_x + 1;
        for (int32_t first = 0; first < m.out_w; first += each) {
            const int32_t count = m.out_w - first < each ? m.out_w - first : each;
            const int32_t width = (count - 1) * m.stride_x + 1;
            for (int32_t c = 0; c < m.column_count; c++) {
                const uint16_t* from = row + m.columns[c] + first * m.stride_x;
                for (int32_t x = 0; x < width; x++) sums[x] = c == 0 ? from[x] : add(sums[x], from[x]);
            }
            if (m.stride_x == 1)
                for (int32_t x = 0; x < count; x++) out[first + x] = sums[x];
            else
                for (int32_t x = 0; x < count; x++) out[first + x] = sums[x * m.stride_x];
        }
    }
}

static void split(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low, int64_t& low_count,
                  int32_t* high, int64_t& high_count, int64_t& total) {
    int64_t lows = 0, highs = 0, sum = 0;
    const auto take = [&](int32_t p) {
        const uint16_t value = map[p];
        const bool is_low = value && value < limit, is_high = value && value >= limit;
        low[lows] = high[highs] = p;
        lows += is_low;
        highs += is_high;
        sum += is_low ? value : 0;
    };
    int32_t p = begin;
    for (; p + 16 <= end; p += 16) {  // most are 0
        uint64_t some[4];
        __builtin_memcpy(some, map + p, sizeof some);
        if ((some[0] | some[1] | some[2] | some[3]) == 0) continue;
        for (int32_t q = p, i = 0; i < 4; i++, q += 4)
            if (some[i]) take(q), take(q + 1), take(q + 2), take(q + 3);
    }
    for (; p < end; p++) take(p);
    low_count = lows;
    high_count = highs;
    total = sum;
}

static void quantize_input(const Map& map, Pixels pixels) {
    const Step& step = map.program.steps[0];
    const int32_t channels = map.in.c;
    const int64_t stride = step.out.stride;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t pixel = pixels.at(i);
        float four[lanes] = {};
        for (int32_t c = 0; c < channels; c++) four[c] = map.in.f32()[pixel * map.in.stride + c];
        const I32 codes = to_steps(F32::load(four), step.grid) + I32::set1(step.grid.zero);
        if (!step.track.delta) {
            store_bytes(step.out.u8() + pixel * stride, codes, channels);
            continue;
        }
        bool over = false;
        const int groups = track_bytes(step.out.u8() + pixel * stride, step.track.delta + pixel * stride, codes,
                                       channels, over);
        step.track.moved[pixel] = uint16_t(groups | (over ? wide : 0));
    }
}

}  // namespace vq::VQ_ISA
