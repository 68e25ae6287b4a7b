// The network's input into codes with AVX2: 8 pixels of 3 channels at a time.
#pragma once

namespace vq::avx2 {

static void quantize_input_vector(const Map& map, Pixels pixels) {
    const Step& step = map.program.steps[0];
    if (pixels.list || map.in.c != 3 || map.in.stride != 3) return quantize_input(map, pixels);
    const Codes codes(map.program);
    const CodeVectors vectors(codes);
    const __m256i spread = _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5);  // 2 pixels, 4 lanes each
    const __m256i used = _mm256_set1_epi32(0x00FFFFFF), none = _mm256_setzero_si256();
    int64_t i = pixels.begin;
    // 2 floats are read past the 8th pixel.
    for (; i + 9 <= pixels.end; i += 8) {
        F32 v[4];
        for (int k = 0; k < 4; k++)
            v[k].v = _mm256_permutevar8x32_ps(F32::load(map.in.f32() + 3 * i + 6 * k).v, spread);
        const __m256i bytes = _mm256_and_si256(vectors.bytes(v[0], v[1], v[2], v[3]), used);
        uint8_t* out = step.out.u8() + 4 * i;
        if (!step.track.delta) {
            _mm256_storeu_si256((__m256i*)out, bytes);
            continue;
        }
        const __m256i old = _mm256_loadu_si256((const __m256i*)out);
        const __m256i size = _mm256_or_si256(_mm256_subs_epu8(bytes, old), _mm256_subs_epu8(old, bytes));
        const __m256i stays = _mm256_cmpeq_epi8(_mm256_subs_epu8(size, vectors.tau), none);
        const __m256i change = _mm256_andnot_si256(stays, _mm256_sub_epi8(bytes, old));
        _mm256_storeu_si256((__m256i*)out, _mm256_blendv_epi8(bytes, old, stays));
        _mm256_storeu_si256((__m256i*)(step.track.delta + 4 * i), change);
        const __m256i top = _mm256_set1_epi8(char(0x80));
        const __m256i over = _mm256_and_si256(_mm256_andnot_si256(stays, size), top);  // above 127
        const auto pixels_of = [&](__m256i x) {
            return ~unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(x, none))));
        };
        const unsigned moved = pixels_of(change), overs = pixels_of(over);
        for (int p = 0; p < 8; p++)
            step.track.moved[i + p] = uint16_t((moved >> p & 1) | (overs >> p & 1 ? wide : 0));
    }
    if (i < pixels.end) quantize_input(map, {nullptr, i, pixels.end});
}

}  // namespace vq::avx2
