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

// One store_codes step on a tile of values.
template <int V>
inline bool store_tile_codes(const Step& step, const float* tile, const int32_t* pixels, int m, int c0, int n) {
    constexpr int vectors_each = V * 16 / lanes;
    const Codes codes(Program{&step, 1, 0});
    const CodeVectors vectors(codes);
    int j = 0;
    if (n <= lanes && !codes.track.delta && !codes.staged)  // 4 pixels share a vector of codes
        for (; j + 4 <= m; j += 4, tile += 256) {
            const F32 v[4] = {F32::load(tile), F32::load(tile + 64), F32::load(tile + 128), F32::load(tile + 192)};
            alignas(64) uint8_t bytes[4 * lanes];
            store_all(bytes, vectors.bytes(v));
            for (int k = 0; k < 4; k++) {
                uint8_t* out = codes.out + pixels[j + k] * codes.stride + c0;
                if (n == lanes) __builtin_memcpy(out, bytes + lanes * k, lanes);
                else if (n == 8) __builtin_memcpy(out, bytes + lanes * k, 8);
                else __builtin_memcpy(out, bytes + lanes * k, size_t(n));
            }
        }
    for (; j < m; j++, tile += 64) {
        F32 v[vectors_each];
#pragma GCC unroll 8
        for (int i = 0; i < vectors_each; i++) v[i] = F32::load(tile + lanes * i);
        store_codes<vectors_each>(codes, vectors, v, pixels[j], c0, n);
    }
    return true;
}

}  // namespace vq::VQ_ISA
