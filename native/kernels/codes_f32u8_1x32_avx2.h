// Float32 values to u8 codes, one pixel × 32 channels at a time, AVX2: the commonest program by far, an activation's
// clamp and then codes, without the general program's passes over a tile in memory. Where a stream follows changes,
// codes are compared as bytes, 32 at a time.
#pragma once
#include "codes.h"
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "a vector of codes is made of 4 vectors of 8 values");

inline void store_all(void* to, __m256i bytes) { _mm256_store_si256(static_cast<__m256i*>(to), bytes); }

// The first n ≤ 32 bytes.
inline __attribute__((always_inline)) void store_first(void* to, __m256i bytes, int n) {
    char* p = static_cast<char*>(to);
    if (n == 32) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
    __m128i half = _mm256_castsi256_si128(bytes);
    if (n & 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
        half = _mm256_extracti128_si256(bytes, 1);
        p += 16;
    }
    if (n & 8) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), half);
        half = _mm_srli_si128(half, 8);
        p += 8;
    }
    const uint64_t rest = uint64_t(_mm_cvtsi128_si64(half));
    if (n & 7) __builtin_memcpy(p, &rest, size_t(n & 7));
}

// Bytes of ones up to the n-th, n ≤ 32.
inline __m256i first_bytes(int n) {
    const __m256i order = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                           22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    return _mm256_cmpgt_epi8(_mm256_set1_epi8(char(n)), order);
}

// What store_codes needs of a grid, in registers.
struct CodeVectors {
    __m256 low, high, inverse;
    __m256i zero;

    explicit CodeVectors(const Codes& codes)
        : low(_mm256_set1_ps(codes.low)), high(_mm256_set1_ps(codes.high)), inverse(_mm256_set1_ps(codes.inverse)),
          zero(_mm256_set1_epi32(codes.zero)) {}

    __attribute__((always_inline)) __m256i steps(F32 x) const {
        const __m256 t = _mm256_min_ps(_mm256_max_ps(_mm256_mul_ps(x.v, inverse), low), high);
        return _mm256_add_epi32(_mm256_cvtps_epi32(t), zero);
    }
    // Packing works within 128-bit blocks: dword 4·L + i of the result belongs to place 2·i + L.
    __attribute__((always_inline)) __m256i bytes(const F32 (&v)[4]) const { return bytes(v[0], v[1], v[2], v[3]); }
    __attribute__((always_inline)) __m256i bytes(F32 a, F32 b, F32 c, F32 d) const {
        const __m256i packed = _mm256_packus_epi16(_mm256_packs_epi32(steps(a), steps(b)),
                                                   _mm256_packs_epi32(steps(c), steps(d)));
        return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    }
};

// 32 codes meet those that a stream holds; only those that `counts` has bits of may move.
struct Met {
    __m256i held, change;  // afterwards
    __m256i over;          // top bits: changes that leave int8

    Met(__m256i bytes, __m256i old, __m256i counts) {
        const __m256i size = _mm256_or_si256(_mm256_subs_epu8(bytes, old), _mm256_subs_epu8(old, bytes));
        const __m256i moved = _mm256_andnot_si256(_mm256_cmpeq_epi8(bytes, old), counts);
        held = _mm256_blendv_epi8(old, bytes, moved);
        change = _mm256_and_si256(_mm256_sub_epi8(bytes, old), moved);
        over = _mm256_and_si256(size, moved);
    }
    // Bit g: whether any of the 4 changes of group g is not 0.
    unsigned groups() const {
        const __m256i same = _mm256_cmpeq_epi32(change, _mm256_setzero_si256());
        return ~unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(same))) & 0xFF;
    }
    // What `moved` says of 8 pixels of one group each.
    __m128i counts() const {
        const __m256i zero = _mm256_setzero_si256();
        const __m256i overs = _mm256_and_si256(over, _mm256_set1_epi8(-128));
        const __m256i moved = _mm256_andnot_si256(_mm256_cmpeq_epi32(change, zero), _mm256_set1_epi32(1));
        const __m256i past = _mm256_andnot_si256(_mm256_cmpeq_epi32(overs, zero), _mm256_set1_epi32(wide));
        const __m256i both = _mm256_or_si256(moved, past);
        return _mm_packus_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    }
};

// 32 codes of one pixel, of which the first n count, from channel c0.
template <bool Tracked>
inline __attribute__((always_inline)) void store_bytes32(const Codes& codes, __m256i bytes, int64_t pixel, int c0,
                                                         int n) {
    uint8_t* out = codes.out + pixel * codes.stride + c0;
    if (!Tracked) return store_first(out, bytes, n);
    const Met met(bytes, _mm256_loadu_si256((const __m256i*)out), first_bytes(n));
    store_first(out, met.held, n);
    if (codes.track.changes) store_first(codes.track.delta + pixel * codes.stride + c0, met.change, n);
    const int groups = __builtin_popcount(met.groups());
    const bool over = _mm256_movemask_epi8(met.over) != 0;
    uint16_t& count = codes.track.moved[pixel];
    count = uint16_t(((c0 == 0 ? 0 : count) + groups) | (over ? wide : 0));
}

// Vectors of 8 channels each, 2 or 4 at a time, from channel c0; the first n channels count.
template <bool Tracked, int N>
inline __attribute__((always_inline)) void store_vectors(const Codes& codes, const CodeVectors& vectors,
                                                         const F32 (&v)[N], int64_t pixel, int c0, int n) {
    for (int i = 0; i < N && 8 * i < n; i += 4) {
        const bool four = i + 2 < N;
        const __m256i bytes = vectors.bytes(v[i], v[i + 1], four ? v[i + 2] : v[i], four ? v[i + 3] : v[i + 1]);
        const int left = n - 8 * i, width = four ? 32 : 16;
        store_bytes32<Tracked>(codes, bytes, pixel, c0 + 8 * i, left < width ? left : width);
    }
}

template <int V, bool Tracked, bool Summed, bool Staged>
static __attribute__((noinline)) void store_tile_of(const Codes& codes, const int32_t* acc, const float* sums,
                                                    const int32_t* pixels, int m, const Conv& conv, const Block& b) {
    const CodeVectors vectors(codes);
    const Outside outside(Staged ? codes.staged->grid : Grid());
    float values[Staged ? 64 * 16 : 1];
    uint64_t masks[16];
    for (int j = 0; j < m; j++, acc += 64) {
        F32 v[2 * V];
#pragma GCC unroll 8
        for (int i = 0; i < 2 * V; i++) {
            v[i] = to_float(I32::load(acc + 8 * i)) * F32::load(conv.scale + b.first + 8 * i) +
                   F32::load(conv.bias + b.first + 8 * i);
            if (Summed)
                v[i] = v[i] + F32::load(conv.sparse.scale + b.first + 8 * i) * F32::load(sums + 64 * j + 8 * i);
        }
        store_vectors<Tracked>(codes, vectors, v, pixels[j], b.first, b.channels);
        if (Staged) masks[j] = outside_bits<2 * V>(codes, outside, v, b.channels, values + 64 * j);
    }
    if (Staged) stage_few(codes, masks, values, pixels, m, b.first);
}

}  // namespace vq::VQ_ISA

#include "codes_tile.h"
