// Depthwise convolution: u8 codes × s8 weights into s32, one pixel × 64 channels in registers (2 × 32 or 4 × 16 where
// there are fewer), AVX-512 VNNI. The bytes of 4 taps are interleaved, so that one vpdpbusd adds 4 taps of 16 channels;
// whole runs of pixels keep the weights of up to 12 taps in registers.
#pragma once
#include "places.h"
#include VQ_CODES
#if !defined(__AVX512VNNI__)
#error "for AVX-512 with VNNI"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "an accumulator holds 16 channels");

// One step of 4 taps for 64 channels: acc[j] lane-block L holds channels 16·L + 4·j … + 3.
inline __attribute__((always_inline)) void four_taps(__m512i a, __m512i b, __m512i c, __m512i d, const __m512i* weight,
                                                     __m512i (&acc)[4]) {
    const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
    const __m512i cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);
    acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(ab0, cd0), weight[0]);
    acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(ab0, cd0), weight[1]);
    acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(ab1, cd1), weight[2]);
    acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(ab1, cd1), weight[3]);
}

// A 4 × 4 transposition of 128-bit blocks: into the order of channels.
inline __attribute__((always_inline)) void order_channels(const __m512i (&a)[4], I32 (&out)[4]) {
    const __m512i p = _mm512_shuffle_i32x4(a[0], a[1], 0x44), q = _mm512_shuffle_i32x4(a[2], a[3], 0x44);
    const __m512i r = _mm512_shuffle_i32x4(a[0], a[1], 0xEE), s = _mm512_shuffle_i32x4(a[2], a[3], 0xEE);
    out[0].v = _mm512_shuffle_i32x4(p, q, 0x88);
    out[1].v = _mm512_shuffle_i32x4(p, q, 0xDD);
    out[2].v = _mm512_shuffle_i32x4(r, s, 0x88);
    out[3].v = _mm512_shuffle_i32x4(r, s, 0xDD);
}

// 64 channels from c of all places, the weights in registers. N: vectors of 16 channels that are used.
template <int Groups, int N>
inline void depthwise_places(const Depthwise& conv, const Codes& codes, const Places& places, int from, int c, int n) {
    const int groups = Groups ? Groups : (conv.taps + 3) / 4;
    const int8_t* packed = conv.interleaved + int64_t(c) * 4 * groups;
    __m512i weight[Groups ? 4 * Groups : 1];
    if (Groups)
        for (int i = 0; i < 4 * Groups; i++) weight[i] = _mm512_load_si512(packed + 64 * i);
    const CodeVectors vectors(codes);
    for (int i = from; i < places.count; i++) {
        const uint8_t* base = places.base[i] + c;
        const ptrdiff_t* offset = places.offset + i * places.next;
        if (codes.on && i + 8 < places.count) fetch_codes(codes, places.pixel[i + 8], c);
        __m512i acc[4] = {};
        const auto at = [&](int t) { return _mm512_loadu_si512(base + offset[t]); };
        for (int g = 0; g < groups; g++) {
            if (Groups) four_taps(at(4 * g), at(4 * g + 1), at(4 * g + 2), at(4 * g + 3), weight + 4 * g, acc);
            else {
                __m512i four[4];
                for (int j = 0; j < 4; j++) four[j] = _mm512_load_si512(packed + 256 * g + 64 * j);
                four_taps(at(4 * g), at(4 * g + 1), at(4 * g + 2), at(4 * g + 3), four, acc);
            }
        }
        I32 ordered[4];
        order_channels(acc, ordered);
        F32 v[N];
#pragma GCC unroll 4
        for (int j = 0; j < N; j++)
            v[j] = to_float(ordered[j] + I32::load(conv.start + c + 16 * j)) * F32::load(conv.scale + c + 16 * j) +
                   F32::load(conv.bias + c + 16 * j);
        if (codes.on) store_codes<N>(codes, vectors, v, places.pixel[i], c, n);
        else run_program<N>(conv.program, v, places.pixel[i], c, n);
    }
}

// Few channels leave most of a vector empty: then P = 2 or 4 places inside share it, 64 / P channels each. Returns how
// many places are done; the last few may not fill a vector.
template <int Groups, int P>
inline int depthwise_packed(const Depthwise& conv, const Codes& codes, const Places& places) {
    constexpr int N = 4 / P;  // vectors of each pixel
    const int groups = Groups ? Groups : (conv.taps + 3) / 4, n = conv.in.c;
    __m512i own[Groups ? 4 * Groups : 1];
    const auto shared = [&](int i) {
        const __m512i w = _mm512_load_si512(conv.interleaved + 64 * i);
        return _mm512_shuffle_i32x4(w, w, P == 4 ? 0x00 : 0x44);
    };
    if (Groups)
        for (int i = 0; i < 4 * Groups; i++) own[i] = shared(i);
    const CodeVectors vectors(codes);
    F32 scale[N], bias[N];
    I32 start[N];
    for (int j = 0; j < N; j++) {
        scale[j] = F32::load(conv.scale + 16 * j), bias[j] = F32::load(conv.bias + 16 * j);
        start[j] = I32::load(conv.start + 16 * j);
    }
    int i = 0;
    for (; i + P <= places.count; i += P) {
        if (codes.on && i + 4 * P < places.count) fetch_codes(codes, places.pixel[i + 4 * P], 0);
        __m512i acc[4] = {};
        const auto at = [&](int t) __attribute__((always_inline)) {
            const ptrdiff_t offset = places.offset[t];
            if (P == 2)
                return _mm512_inserti64x4(
                    _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i*)(places.base[i] + offset))),
                    _mm256_loadu_si256((const __m256i*)(places.base[i + 1] + offset)), 1);
            const auto quarter = [&](int q) { return _mm_loadu_si128((const __m128i*)(places.base[i + q] + offset)); };
            const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(0)), quarter(1), 1);
            const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(2)), quarter(3), 1);
            return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        };
        for (int g = 0; g < groups; g++) {
            if (Groups) four_taps(at(4 * g), at(4 * g + 1), at(4 * g + 2), at(4 * g + 3), own + 4 * g, acc);
            else {
                const __m512i four[4] = {shared(4 * g), shared(4 * g + 1), shared(4 * g + 2), shared(4 * g + 3)};
                four_taps(at(4 * g), at(4 * g + 1), at(4 * g + 2), at(4 * g + 3), four, acc);
            }
        }
        I32 ordered[4];
        order_channels(acc, ordered);
        F32 v[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) v[j] = to_float(ordered[j] + start[j % N]) * scale[j % N] + bias[j % N];
        if (codes.on && !codes.staged) {
            __m512i bytes = vectors.bytes<4>(v);
#pragma GCC unroll 4
            for (int q = 0; q < P; q++) {
                if (codes.track.delta) store_bytes64<true>(codes, bytes, places.pixel[i + q], 0, n);
                else store_bytes64<false>(codes, bytes, places.pixel[i + q], 0, n);
                bytes = P == 2 ? _mm512_shuffle_i32x4(bytes, bytes, 0xEE) : _mm512_shuffle_i32x4(bytes, bytes, 0x39);
            }
            continue;
        }
        for (int q = 0; q < P; q++) {
            F32 one[N];
            for (int j = 0; j < N; j++) one[j] = v[q * N + j];
            run_program<N>(conv.program, one, places.pixel[i + q], 0, n);
        }
    }
    return i;
}

template <int Groups>
inline void depthwise_all(const Depthwise& conv, const Codes& codes, const Places& places) {
    int from = 0;
    if (conv.in.c <= 16 && !places.next) from = depthwise_packed<Groups, 4>(conv, codes, places);
    else if (conv.in.c <= 32 && !places.next) from = depthwise_packed<Groups, 2>(conv, codes, places);
    if (from == places.count) return;
    for (int c = 0; c < conv.in.c; c += 64) {
        const int n = conv.in.c - c < 64 ? conv.in.c - c : 64;
        if (n > 48) depthwise_places<Groups, 4>(conv, codes, places, from, c, n);
        else if (n > 32) depthwise_places<Groups, 3>(conv, codes, places, from, c, n);
        else if (n > 16) depthwise_places<Groups, 2>(conv, codes, places, from, c, n);
        else depthwise_places<Groups, 1>(conv, codes, places, from, c, n);
    }
}

static void depthwise_vnni(const Depthwise& conv, Pixels pixels) {
    if (conv.sparse.input.begin) return depthwise(conv, pixels);
    const Window window(conv);
    const Codes codes(conv.program);
    by_places(conv, window, pixels, [&](const Places& places) {
        if (conv.taps > 8 && conv.taps <= 12) depthwise_all<3>(conv, codes, places);
        else depthwise_all<0>(conv, codes, places);
    });
}

}  // namespace vq::VQ_ISA
