// Following changes, one pixel at a time.
#pragma once

namespace vq::reference {

static void quantize_input(const Map& map, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t pixel = pixels.at(i);
        for (int c = 0; c < map.in.c; c++)
            run_program(map.program, map.in.f32()[pixel * map.in.stride + c], pixel, c);
    }
}

static bool finite(const float* values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(values[i] - values[i] == 0)) return false;
    return true;
}

static void window_map(const WindowMap& m) {
    for (int32_t y = m.out_first; y < m.out_last; y++)
        for (int32_t x = 0; x < m.out_w; x++) {
            int64_t sum = 0;
            for (int32_t r = 0; r < m.row_count; r++)
                for (int32_t c = 0; c < m.column_count; c++) {
                    const int32_t iy = y * m.stride_y + m.rows[r], ix = x * m.stride_x + m.columns[c];
                    if (iy >= 0 && iy < m.in_h && ix >= 0 && ix < m.in_w) sum += m.in[int64_t(iy) * m.in_w + ix];
                }
            m.out[int64_t(y) * m.out_w + x] = uint16_t(sum < 0xFFFF ? sum : 0xFFFF);
        }
}

static void split(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low, int64_t& low_count,
                  int32_t* high, int64_t& high_count, int64_t& total) {
    low_count = high_count = total = 0;
    for (int32_t p = begin; p < end; p++) {
        if (map[p] == 0) continue;
        if (map[p] >= limit) high[high_count++] = p;
        else low[low_count++] = p, total += map[p];
    }
}

}  // namespace vq::reference
