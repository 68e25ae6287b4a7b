// Convolution 3 × 3 by Winograd's algorithm F(2 × 2, 3 × 3) in integers: u8 codes × s8 weights into s32, tiles of 2 × 2
// output pixels, 6 of them × 16 channels in registers, AVX2. 16 products where the definition has 36, and the same sums
// to the last bit (see pack_winograd): it made 3 × 3 layers 1.7 times faster. AVX-512 does without: transformed inputs
// have more than 8 bits, and 16 bits go at half the rate of vpdpbusd, which leaves 36 / 16 / 2 = 1.1 before transforms.
#pragma once
#include "conv.h"
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(winograd_batch % (2 * at_once) == 0, "a batch is whole tiles of the products");

// Bᵀ d B of one tile for all input channels: place p goes to `out + p · next`. d: 4 × 4 input pixels.
inline void transform_input(const uint8_t* const (&d)[16], int64_t channels, int16_t* out, int64_t next) {
    const auto along = [](__m256i a, __m256i b, __m256i c, __m256i d, __m256i (&to)[4]) __attribute__((always_inline)) {
        to[0] = _mm256_sub_epi16(a, c);
        to[1] = _mm256_add_epi16(b, c);
        to[2] = _mm256_sub_epi16(c, b);
        to[3] = _mm256_sub_epi16(b, d);
    };
    for (int64_t c = 0; c < channels; c += 16) {
        const auto at = [&](int i) __attribute__((always_inline)) {
            return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(d[i] + c)));
        };
        __m256i columns[4][4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; x++) along(at(x), at(4 + x), at(8 + x), at(12 + x), columns[x]);
#pragma GCC unroll 4
        for (int y = 0; y < 4; y++) {
            __m256i row[4];
            along(columns[0][y], columns[1][y], columns[2][y], columns[3][y], row);
#pragma GCC unroll 4
            for (int x = 0; x < 4; x++) _mm256_storeu_si256((__m256i*)(out + (4 * y + x) * next + c), row[x]);
        }
    }
}

// start + Aᵀ m A / 4 of one tile for 16 · V output channels: pixel (y, x) of the tile goes to acc[2 · y + x][64].
template <int V>
inline void transform_output(const int32_t* products, int64_t next, const int32_t* start, int32_t* const (&acc)[4]) {
    for (int c = 0; c < 16 * V; c += 8) {
        const auto at = [&](int i) __attribute__((always_inline)) {
            return _mm256_loadu_si256((const __m256i*)(products + i * next + c));
        };
        __m256i rows[2][4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; x++) {
            const __m256i b = at(4 + x), c = at(8 + x);
            rows[0][x] = _mm256_add_epi32(at(x), _mm256_add_epi32(b, c));
            rows[1][x] = _mm256_sub_epi32(_mm256_sub_epi32(b, c), at(12 + x));
        }
        const __m256i first = _mm256_loadu_si256((const __m256i*)(start + c));
#pragma GCC unroll 2
        for (int y = 0; y < 2; y++) {
            const __m256i b = rows[y][1], c2 = rows[y][2];
            const __m256i left = _mm256_add_epi32(rows[y][0], _mm256_add_epi32(b, c2));
            const __m256i right = _mm256_sub_epi32(_mm256_sub_epi32(b, c2), rows[y][3]);
            const auto store = [&](int i, __m256i four) {
                _mm256_storeu_si256((__m256i*)(acc[i] + c), _mm256_add_epi32(first, _mm256_srai_epi32(four, 2)));
            };
            store(2 * y, left);
            store(2 * y + 1, right);
        }
    }
}

// multiply<m, H> for 1 ≤ m ≤ M rows, from 0.
template <int M, int H>
inline void multiply_tiles(int m, const int16_t* rows, int64_t pitch, const int16_t* weights, int32_t* const* out) {
    if constexpr (M > 0) {
        if (m >= M) multiply<M, H, false>(rows, pitch, int(pitch), weights, nullptr, out);
        else multiply_tiles<M - 1, H>(m, rows, pitch, weights, out);
    }
}

// One block of output channels of `count` transformed tiles, with their numbers.
template <int V>
inline void winograd_block(const Conv& conv, const Taps& taps, const Block& b, const int16_t* inputs,
                           const int32_t* numbers, int count, int32_t* products) {
    const int64_t channels = 4 * int64_t(b.groups), panel = 16 * channels;
    for (int place = 0; place < 16; place++)
        for (int v = 0; v < V; v++) {
            const int16_t* weights = conv.winograd + ((b.first / 16 + v) * 16 + place) * panel;
            const bool half = b.channels - 16 * v <= lanes;  // twice as many tiles then; the other products are not made
            for (int t = 0; t < count; t += half ? 2 * at_once : at_once) {
                int32_t* out[2 * at_once];
                for (int i = 0; i < 2 * at_once; i++)
                    out[i] = products + (place * winograd_batch + t + i) * 64 + 16 * v;
                const int16_t* rows = inputs + (place * winograd_batch + t) * channels;
                if (half) multiply_tiles<2 * at_once, 1>(count - t, rows, channels, weights, out);
                else multiply_tiles<at_once, 2>(count - t, rows, channels, weights, out);
            }
        }
    constexpr int together = 6;  // tiles: 12 pixels of the upper row of outputs, and 12 of the lower one
    constexpr int across = 2 * int(winograd_batch);
    const int64_t tiles = (conv.out.w + 1) / 2;
    int32_t pixels[2][across], ys[2][across], xs[2][across], spare[64];
    int begin[2][winograd_batch + 1] = {};
    for (int k = 0; k < count; k++)
        for (int row = 0; row < 2; row++) {
            const int32_t y = int32_t(numbers[k] / tiles) * 2 + row;
            int m = begin[row][k];
            for (int32_t x = int32_t(numbers[k] % tiles) * 2, end = x + 2; x < end; x++) {
                if (y >= conv.out.h || x >= conv.out.w) continue;
                pixels[row][m] = y * conv.out.w + x;
                ys[row][m] = y, xs[row][m++] = x;
            }
            begin[row][k + 1] = m;
        }
    alignas(64) float sums[2][64 * across];
    bool any[2] = {};
    for (int row = 0; row < 2 && conv.sparse.input.begin; row++)
        any[row] = sparse_sums<V>(conv, b, ys[row], xs[row], begin[row][count], sums[row]);
    alignas(64) int32_t acc[2][64 * 2 * together];
    for (int t = 0; t < count; t += together) {
        const int last = count < t + together ? count : t + together;
        for (int k = t; k < last; k++) {
            int32_t* to[4];
            for (int i = 0; i < 4; i++) {
                const int *from = begin[i / 2], j = from[k] + i % 2;
                to[i] = j < from[k + 1] ? acc[i / 2] + 64 * (j - from[t]) : spare;
            }
            transform_output<V>(products + 64 * k, winograd_batch * 64, conv.start + b.first, to);
        }
        for (int row = 0; row < 2; row++) {
            const int from = begin[row][t], m = begin[row][last] - from;
            const int32_t* tile = pixels[row] + from;
            if (!taps.codes.on) fetch_floats(conv.program, tile, m, b);
            keep_accumulators<V>(conv, acc[row], tile, m, b);
            finish_tile<V>(conv, taps, acc[row], tile, m, b, any[row] ? sums[row] + 64 * from : nullptr);
        }
    }
}

static void winograd(const Conv& conv, Pixels tiles, void* scratch) {
    const Taps taps(conv);
    const int64_t channels = 4 * int64_t(conv.blocks[0].groups);
    const int64_t across = (conv.out.w + 1) / 2, next = winograd_batch * channels;
    int16_t* inputs = static_cast<int16_t*>(scratch);
    int32_t* products = reinterpret_cast<int32_t*>(inputs + 16 * next);
    for (int64_t from = tiles.begin; from < tiles.end; from += winograd_batch) {
        const int count = int(tiles.end - from < winograd_batch ? tiles.end - from : winograd_batch);
        int32_t numbers[winograd_batch];
        for (int k = 0; k < count; k++) {
            numbers[k] = tiles.at(from + k);
            const int64_t y = numbers[k] / across * 2 + conv.dy[0], x = numbers[k] % across * 2 + conv.dx[0];
            const uint8_t* d[16];
            for (int i = 0; i < 16; i++) {
                const int64_t iy = y + i / 4, ix = x + i % 4;
                const bool in = iy >= 0 && iy < conv.in.h && ix >= 0 && ix < conv.in.w;
                d[i] = in ? conv.in.u8() + (iy * conv.in.w + ix) * conv.in.stride : conv.zeros;
            }
            transform_input(d, channels, inputs + k * channels, next);
        }
        for (int k = 0; k < conv.block_count; k++) {
            const Block& b = conv.blocks[k];
            switch (b.vectors) {
                case 1: winograd_block<1>(conv, taps, b, inputs, numbers, count, products); break;
                case 2: winograd_block<2>(conv, taps, b, inputs, numbers, count, products); break;
                case 3: winograd_block<3>(conv, taps, b, inputs, numbers, count, products); break;
                default: winograd_block<4>(conv, taps, b, inputs, numbers, count, products);
            }
        }
    }
}

}  // namespace vq::VQ_ISA
