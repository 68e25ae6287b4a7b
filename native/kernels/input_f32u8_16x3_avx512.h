// The network's input, float32 to u8 codes, 16 pixels of 3 channels or of one at a time, 4 pixels of others, AVX-512:
// pixels of 3 channels would leave 13 of 16 lanes empty, in the largest map there is.
#pragma once
#include "changes.h"
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "for AVX-512 with BW, VL and DQ"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "16 pixels of 3 channels are 3 vectors");

// 16 pixels of 3 channels: 48 floats in, 64 bytes.
inline __m512i quantize_rgb(const float* in, const Step& step) {
    const I32 zero = I32::set1(step.grid.zero);
    __m128i b[3];
    for (int i = 0; i < 3; i++) b[i] = _mm512_cvtepi32_epi8((to_steps(F32::load(in + 16 * i), step.grid) + zero).v);
    // Bytes 0–11, 12–23, 24–35 and 36–47, each spread to 4 bytes a pixel.
    const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    const __m128i pixels[4] = {b[0], _mm_alignr_epi8(b[1], b[0], 12), _mm_alignr_epi8(b[2], b[1], 8),
                               _mm_srli_si128(b[2], 4)};
    __m512i all = _mm512_castsi128_si512(_mm_shuffle_epi8(pixels[0], spread));
    all = _mm512_inserti32x4(all, _mm_shuffle_epi8(pixels[1], spread), 1);
    all = _mm512_inserti32x4(all, _mm_shuffle_epi8(pixels[2], spread), 2);
    return _mm512_inserti32x4(all, _mm_shuffle_epi8(pixels[3], spread), 3);
}

// 16 pixels of 4 bytes meet what the stream holds.
inline void follow_pixels(__m512i bytes, uint8_t* out, const Track& track, int64_t pixel) {
    const __m512i old = _mm512_loadu_si512(out);
    const __m512i size = _mm512_or_si512(_mm512_subs_epu8(bytes, old), _mm512_subs_epu8(old, bytes));
    const __mmask64 changed = _mm512_cmpneq_epi8_mask(bytes, old);
    const __mmask64 over = _mm512_mask_cmpgt_epu8_mask(changed, size, _mm512_set1_epi8(127));
    const __m512i change = _mm512_maskz_sub_epi8(changed, bytes, old);
    _mm512_storeu_si512(out, _mm512_mask_mov_epi8(old, changed, bytes));
    if (track.changes) _mm512_storeu_si512(track.delta + 4 * pixel, change);
    const __m512i overs = _mm512_movm_epi8(over);
    const __m256i counts = _mm256_maskz_set1_epi16(_mm512_test_epi32_mask(change, change), 1);
    const __m256i wides = _mm256_maskz_set1_epi16(_mm512_test_epi32_mask(overs, overs), short(wide));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(track.moved + pixel), _mm256_or_si256(counts, wides));
}

// Pixels of one channel, 16 at a time: a code takes the lowest of a pixel's 4 bytes, so it is a 32-bit number. Returns
// the first pixel that is left.
inline int64_t quantize_gray(const float* in, const Step& step, int64_t i, int64_t end) {
    const I32 zero = I32::set1(step.grid.zero);
    const __m512i low = _mm512_set1_epi32(0xFF), limit = _mm512_set1_epi32(127);
    for (; i + 16 <= end; i += 16) {
        const __m512i codes = (to_steps(F32::load(in + i), step.grid) + zero).v;
        uint8_t* out = step.out.u8() + 4 * i;
        if (!step.track.delta) {
            _mm512_storeu_si512(out, codes);
            continue;
        }
        const __m512i change = _mm512_sub_epi32(codes, _mm512_and_si512(_mm512_loadu_si512(out), low));
        const __m512i size = _mm512_abs_epi32(change);
        const __mmask16 moved = _mm512_test_epi32_mask(change, change);
        const __mmask16 over = _mm512_mask_cmpgt_epi32_mask(moved, size, limit);
        _mm512_mask_storeu_epi32(out, moved, codes);
        _mm512_storeu_si512(step.track.delta + 4 * i, _mm512_maskz_and_epi32(moved, change, low));
        _mm256_storeu_si256(
            reinterpret_cast<__m256i*>(step.track.moved + i),
            _mm256_or_si256(_mm256_maskz_set1_epi16(moved, 1), _mm256_maskz_set1_epi16(over, short(wide))));
    }
    return i;
}

static void quantize_input_vector(const Map& map, Pixels pixels) {
    const Step& step = map.program.steps[0];
    const int32_t channels = map.in.c;
    if (pixels.list || map.in.stride != channels) return quantize_input(map, pixels);
    if (channels == 1) {
        const int64_t left = quantize_gray(map.in.f32(), step, pixels.begin, pixels.end);
        return quantize_input(map, {nullptr, left, pixels.end});
    }
    // Lanes of 4 pixels, `channels` used of each 4.
    const __mmask16 used = __mmask16(((1u << channels) - 1) * 0x1111u);
    const I32 zero = I32::set1(step.grid.zero);
    const __m512i limit = _mm512_set1_epi32(127);
    int64_t i = pixels.begin;
    if (channels == 3)
        for (; i + 16 <= pixels.end; i += 16) {
            const __m512i bytes = quantize_rgb(map.in.f32() + i * 3, step);
            uint8_t* out = step.out.u8() + 4 * i;
            if (step.track.delta) follow_pixels(bytes, out, step.track, i);
            else _mm512_storeu_si512(out, bytes);
        }
    const __mmask16 loaded = __mmask16((1u << 4 * channels) - 1);
    for (; i + 4 <= pixels.end; i += 4) {
        const F32 x = {_mm512_maskz_expand_ps(used, _mm512_maskz_loadu_ps(loaded, map.in.f32() + i * channels))};
        const __m512i codes = _mm512_maskz_mov_epi32(used, (to_steps(x, step.grid) + zero).v);
        __m128i* out = reinterpret_cast<__m128i*>(step.out.u8() + 4 * i);
        if (!step.track.delta) {
            _mm_storeu_si128(out, _mm512_cvtepi32_epi8(codes));
            continue;
        }
        const __m512i change = _mm512_sub_epi32(codes, _mm512_cvtepu8_epi32(_mm_loadu_si128(out)));
        const __m512i size = _mm512_abs_epi32(change);
        const unsigned moved = _mm512_mask_test_epi32_mask(used, change, change);
        unsigned over = _mm512_mask_cmpgt_epi32_mask(__mmask16(moved), size, limit);
        _mm512_mask_cvtepi32_storeu_epi8(out, __mmask16(moved), codes);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(step.track.delta + 4 * i),
                         _mm512_cvtepi32_epi8(_mm512_maskz_mov_epi32(__mmask16(moved), change)));
        uint16_t* counts = step.track.moved + i;
        for (int p = 0; p < 4; p++)
            counts[p] = uint16_t((moved >> 4 * p & 15 ? 1 : 0) | (over >> 4 * p & 15 ? wide : 0));
    }
    if (i < pixels.end) quantize_input(map, {nullptr, i, pixels.end});
}

}  // namespace vq::VQ_ISA
