// Tiles of 16 pixels × 64 channels of accumulators or values become u8 codes, with what VQ_CODES does with vectors. One
// decision for the whole tile: whether codes are followed, whether S is added or staged.
#pragma once
#include <type_traits>

#include VQ_CODES

namespace vq::VQ_ISA {

// Channels c0 … c0 + n − 1 of one pixel; N · lanes ≥ n.
template <int N>
inline __attribute__((always_inline)) void store_codes(const Codes& codes, const CodeVectors& vectors,
                                                       const F32 (&v)[N], int64_t pixel, int c0, int n) {
    if (codes.track.delta) store_vectors<true>(codes, vectors, v, pixel, c0, n);
    else store_vectors<false>(codes, vectors, v, pixel, c0, n);
    if (!codes.staged) return;
    float values[lanes * N];
    uint64_t mask = outside_bits<N>(codes, Outside(codes.staged->grid), v, n, values);
    const int32_t number = int32_t(pixel);
    stage_few(codes, &mask, values, &number, 1, c0);
}

// A whole tile of accumulators, 64 apart, and what the sparse part of the input adds to them, or null.
template <int V>
inline void store_tile(const Codes& codes, const int32_t* acc, const float* sums, const int32_t* pixels, int m,
                       const Conv& conv, const Block& b) {
    const auto store = [&](auto tracked, auto summed, auto staged) {
        store_tile_of<V, tracked, summed, staged>(codes, acc, sums, pixels, m, conv, b);
    };
    const std::true_type yes;
    const std::false_type no;
    if (codes.track.delta) sums ? store(yes, yes, no) : store(yes, no, no);
    else if (codes.staged) sums ? store(no, yes, yes) : store(no, no, yes);
    else sums ? store(no, yes, no) : store(no, no, no);
}

// A store_codes step on a tile of values, which go through a function on their way: N vectors of each pixel.
template <int N, class Through>
inline void store_tile_vectors(const Codes& codes, const CodeVectors& vectors, const float* tile, const int32_t* pixels,
                               int m, int c0, int n, const Through& through) {
    for (int j = 0; j < m; j++, tile += 64) {
        F32 v[N];
#pragma GCC unroll 8
        for (int i = 0; i < N; i++) v[i] = through(F32::load(tile + lanes * i));
        store_codes<N>(codes, vectors, v, pixels[j], c0, n);
    }
}

// The same where few channels would leave vectors of codes empty: `each` pixels share one. Returns how many are done.
template <int each, class Through>
inline int store_tile_together(const Codes& codes, const CodeVectors& vectors, const float* tile, const int32_t* pixels,
                               int m, int c0, int n, const Through& through) {
    constexpr int own = 4 / each;  // vectors of a pixel
    int j = 0;
    for (; j + each <= m; j += each, tile += 64 * each) {
        F32 v[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) v[i] = through(F32::load(tile + i / own * 64 + i % own * lanes));
        alignas(64) uint8_t bytes[4 * lanes];
        store_all(bytes, vectors.bytes(v));
        for (int k = 0; k < each; k++) {
            uint8_t* out = codes.out + pixels[j + k] * codes.stride + c0;
            const uint8_t* from = bytes + own * lanes * k;
            if (n == own * lanes) __builtin_memcpy(out, from, own * lanes);
            else if (n == 8) __builtin_memcpy(out, from, 8);
            else __builtin_memcpy(out, from, size_t(n));
        }
    }
    return j;
}

// Returns whether it did; else the general program does.
template <class Through>
inline bool store_tile_codes(const Step& step, const float* tile, const int32_t* pixels, int m, int c0, int n,
                             const Through& through) {
    const Codes codes(Program{&step, 1, 0});
    const CodeVectors vectors(codes);
    int j = 0;
    if (n <= 2 * lanes && !codes.track.delta && !codes.staged)
        j = n <= lanes ? store_tile_together<4>(codes, vectors, tile, pixels, m, c0, n, through)
                       : store_tile_together<2>(codes, vectors, tile, pixels, m, c0, n, through);
    tile += 64 * j, pixels += j, m -= j;
    constexpr int few = 16 / lanes;
    if (n <= 16) store_tile_vectors<few>(codes, vectors, tile, pixels, m, c0, n, through);
    else if (n <= 32) store_tile_vectors<2 * few>(codes, vectors, tile, pixels, m, c0, n, through);
    else store_tile_vectors<4 * few>(codes, vectors, tile, pixels, m, c0, n, through);
    return true;
}

}  // namespace vq::VQ_ISA
