// Float32 values to u8 codes, one pixel × 64 channels at a time, AVX-512: the commonest program by far, an activation's
// clamp and then codes, without the general program's passes over a tile in memory. Where a stream follows changes,
// codes are compared as bytes, 64 at a time.
#pragma once
#include "codes.h"
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "for AVX-512 with BW, VL and DQ"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "a vector of codes is made of 4 vectors of 16 values");

inline void store_all(void* to, __m512i bytes) { _mm512_store_si512(to, bytes); }

// The first n ≤ 64 bytes. Masked stores of bytes are slow on some CPUs; these are not.
inline __attribute__((always_inline)) void store_first(void* to, __m512i bytes, int n) {
    char* p = static_cast<char*>(to);
    if (n == 64) return _mm512_storeu_si512(p, bytes);
    __m256i half = _mm512_castsi512_si256(bytes);
    if (n & 32) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
        half = _mm512_extracti64x4_epi64(bytes, 1);
        p += 32;
    }
    __m128i quarter = _mm256_castsi256_si128(half);
    if (n & 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), quarter);
        quarter = _mm256_extracti128_si256(half, 1);
        p += 16;
    }
    if (n & 8) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), quarter);
        quarter = _mm_srli_si128(quarter, 8);
        p += 8;
    }
    if (n & 7) {
        uint64_t rest = uint64_t(_mm_cvtsi128_si64(quarter));
        if (n & 4) {
            __builtin_memcpy(p, &rest, 4);
            rest >>= 32;
            p += 4;
        }
        if (n & 2) {
            __builtin_memcpy(p, &rest, 2);
            rest >>= 16;
            p += 2;
        }
        if (n & 1) *p = char(rest);
    }
}

// What store_codes needs of a grid, in registers.
struct CodeVectors {
    __m512 low, high, inverse;
    __m512i zero, order;

    // Packing works within 128-bit blocks: dword 4·L + i of the result belongs to place 4·i + L.
    explicit CodeVectors(const Codes& codes)
        : low(_mm512_set1_ps(codes.low)), high(_mm512_set1_ps(codes.high)), inverse(_mm512_set1_ps(codes.inverse)),
          zero(_mm512_set1_epi32(codes.zero)),
          order(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)) {}

    template <int N>
    __attribute__((always_inline)) __m512i bytes(const F32 (&v)[N]) const {
        __m512i q[4];
#pragma GCC unroll 4
        for (int i = 0; i < N; i++) {
            const __m512 t = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(v[i].v, inverse), low), high);
            q[i] = _mm512_add_epi32(_mm512_cvtps_epi32(t), zero);
        }
#pragma GCC unroll 4
        for (int i = N; i < 4; i++) q[i] = q[N - 1];
        const __m512i packed = _mm512_packus_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
        return _mm512_permutexvar_epi32(order, packed);
    }
};

// 64 codes of one pixel, of which the first n count, from channel c0.
template <bool Tracked>
inline __attribute__((always_inline)) void store_bytes64(const Codes& codes, __m512i bytes, int64_t pixel, int c0,
                                                         int n) {
    uint8_t* out = codes.out + pixel * codes.stride + c0;
    if (!Tracked) return store_first(out, bytes, n);
    const __mmask64 tail = n == 64 ? ~__mmask64(0) : (__mmask64(1) << n) - 1;
    const __m512i old = _mm512_loadu_si512(out);
    const __m512i size = _mm512_or_si512(_mm512_subs_epu8(bytes, old), _mm512_subs_epu8(old, bytes));
    const __mmask64 moved = _mm512_mask_cmpneq_epi8_mask(tail, bytes, old);
    const bool over = _mm512_mask_cmpgt_epu8_mask(moved, size, _mm512_set1_epi8(127)) != 0;
    const __m512i change = _mm512_maskz_sub_epi8(moved, bytes, old);
    store_first(out, _mm512_mask_mov_epi8(old, moved, bytes), n);
    if (codes.track.changes) store_first(codes.track.delta + pixel * codes.stride + c0, change, n);
    const int groups = __builtin_popcount(_mm512_test_epi32_mask(change, change));
    uint16_t& count = codes.track.moved[pixel];
    count = uint16_t(((c0 == 0 ? 0 : count) + groups) | (over ? wide : 0));
}

// Channels c0 … c0 + n − 1 of one pixel; N · 16 ≥ n.
template <bool Tracked, int N>
inline __attribute__((always_inline)) void store_vectors(const Codes& codes, const CodeVectors& vectors,
                                                         const F32 (&v)[N], int64_t pixel, int c0, int n) {
    store_bytes64<Tracked>(codes, vectors.bytes<N>(v), pixel, c0, n);
}

template <int V, bool Tracked, bool Summed, bool Staged>
static __attribute__((noinline)) void store_tile_of(const Codes& codes, const int32_t* acc, const float* sums,
                                                    const int32_t* pixels, int m, const Conv& conv, const Block& b) {
    const CodeVectors vectors(codes);
    F32 scales[V], biases[V];
#pragma GCC unroll 4
    for (int i = 0; i < V; i++) {
        scales[i] = F32::load(conv.scale + b.first + 16 * i);
        biases[i] = F32::load(conv.bias + b.first + 16 * i);
    }
    const Outside outside(Staged ? codes.staged->grid : Grid());
    float values[Staged ? 64 * 16 : 1];
    uint64_t masks[16];
    for (int j = 0; j < m; j++, acc += 64) {
        F32 v[V];
#pragma GCC unroll 4
        for (int i = 0; i < V; i++) {
            v[i] = to_float(I32::load(acc + 16 * i)) * scales[i] + biases[i];
            if (Summed)
                v[i] = v[i] + F32::load(conv.sparse.scale + b.first + 16 * i) * F32::load(sums + 64 * j + 16 * i);
        }
        store_vectors<Tracked>(codes, vectors, v, pixels[j], b.first, b.channels);
        if (Staged) masks[j] = outside_bits<V>(codes, outside, v, b.channels, values + 64 * j);
    }
    if (Staged) stage_few(codes, masks, values, pixels, m, b.first);
}

}  // namespace vq::VQ_ISA

#include "codes_tile.h"
