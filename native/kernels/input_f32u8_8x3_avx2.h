// The network's input, float32 to u8 codes, 8 pixels of 3 channels at a time, AVX2: pixels of 3 channels would leave 5
// of 8 lanes empty, in the largest map there is.
#pragma once
#include "changes.h"
#include VQ_CODES
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "two pixels a vector");

static void quantize_input_vector(const Map& map, Pixels pixels) {
    const Step& step = map.program.steps[0];
    if (pixels.list || map.in.c != 3 || map.in.stride != 3) return quantize_input(map, pixels);
    const Codes codes(map.program);
    const CodeVectors vectors(codes);
    // 2 pixels, 4 lanes each; the last two are read with 2 floats before them in place of 2 behind.
    const __m256i spread = _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5);
    const __m256i last = _mm256_setr_epi32(2, 3, 4, 4, 5, 6, 7, 7);
    const __m256i used = _mm256_set1_epi32(0x00FFFFFF);
    int64_t i = pixels.begin;
    for (; i + 8 <= pixels.end; i += 8) {
        F32 v[4];
        for (int k = 0; k < 3; k++)
            v[k].v = _mm256_permutevar8x32_ps(F32::load(map.in.f32() + 3 * i + 6 * k).v, spread);
        v[3].v = _mm256_permutevar8x32_ps(F32::load(map.in.f32() + 3 * i + 16).v, last);
        const __m256i bytes = _mm256_and_si256(vectors.bytes(v[0], v[1], v[2], v[3]), used);
        uint8_t* out = step.out.u8() + 4 * i;
        if (!step.track.delta) {
            _mm256_storeu_si256((__m256i*)out, bytes);
            continue;
        }
        const Met met(bytes, _mm256_loadu_si256((const __m256i*)out), used);
        _mm256_storeu_si256((__m256i*)out, met.held);
        if (step.track.changes) _mm256_storeu_si256((__m256i*)(step.track.delta + 4 * i), met.change);
        _mm_storeu_si128((__m128i*)(step.track.moved + i), met.counts());
    }
    if (i < pixels.end) quantize_input(map, {nullptr, i, pixels.end});
}

}  // namespace vq::VQ_ISA
