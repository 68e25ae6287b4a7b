// Depthwise int8 convolution with VNNI: the bytes of 4 taps are interleaved, so that one vpdpbusd adds 4 taps of 16
// channels; 64 channels at a time.
#pragma once

namespace vq::avx512 {

// One step of 4 taps for 64 channels: acc[j] lane-block L holds channels 16·L + 4·j … + 3.
inline __attribute__((always_inline)) void four_taps(const uint8_t* const* p, int c, const int8_t* weight,
                                                     __m512i (&acc)[4]) {
    const __m512i a = _mm512_loadu_si512(p[0] + c), b = _mm512_loadu_si512(p[1] + c);
    const __m512i d = _mm512_loadu_si512(p[2] + c), e = _mm512_loadu_si512(p[3] + c);
    const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
    const __m512i de0 = _mm512_unpacklo_epi8(d, e), de1 = _mm512_unpackhi_epi8(d, e);
    const auto w = [&](int j) { return _mm512_load_si512(weight + 64 * j); };
    acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(ab0, de0), w(0));
    acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(ab0, de0), w(1));
    acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(ab1, de1), w(2));
    acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(ab1, de1), w(3));
}

// A 4 × 4 transposition of 128-bit blocks: into the order of channels.
inline void order_channels(const __m512i (&a)[4], I32 (&out)[4]) {
    const __m512i p = _mm512_shuffle_i32x4(a[0], a[1], 0x44), q = _mm512_shuffle_i32x4(a[2], a[3], 0x44);
    const __m512i r = _mm512_shuffle_i32x4(a[0], a[1], 0xEE), s = _mm512_shuffle_i32x4(a[2], a[3], 0xEE);
    out[0].v = _mm512_shuffle_i32x4(p, q, 0x88);
    out[1].v = _mm512_shuffle_i32x4(p, q, 0xDD);
    out[2].v = _mm512_shuffle_i32x4(r, s, 0x88);
    out[3].v = _mm512_shuffle_i32x4(r, s, 0xDD);
}

template <int Groups>  // of 4 taps; 0: any number
inline void depthwise_pixels(const Depthwise& conv, const Window& window, Pixels pixels) {
    const int groups = Groups ? Groups : (conv.taps + 3) / 4;
    const uint8_t* pointers[max_taps + 4];
    for (int t = conv.taps; t < 4 * groups; t++) pointers[t] = conv.zeros;  // their weights are 0
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t pixel = pixels.at(i);
        window.fill(pixel, pointers);
        for (int c = 0; c < conv.in.c; c += 64) {
            const int8_t* weight = conv.interleaved + int64_t(c) * 4 * groups;
            __m512i acc[4] = {};
            for (int g = 0; g < groups; g++) four_taps(pointers + 4 * g, c, weight + 256 * g, acc);
            I32 ordered[4];
            order_channels(acc, ordered);
            const int n = conv.in.c - c < 64 ? conv.in.c - c : 64;
            for (int v = 0; v < (n + 15) / 16; v++) ordered[v] = ordered[v] + I32::load(conv.start + c + 16 * v);
            if (n > 48) depthwise_finish<4>(conv, ordered, pixel, c, n);
            else if (n > 32) depthwise_finish<3>(conv, ordered, pixel, c, n);
            else if (n > 16) depthwise_finish<2>(conv, ordered, pixel, c, n);
            else depthwise_finish<1>(conv, ordered, pixel, c, n);
        }
    }
}

static void depthwise_vnni(const Depthwise& conv, Pixels pixels) {
    const Window window(conv);
    if (conv.taps > 8 && conv.taps <= 12) depthwise_pixels<3>(conv, window, pixels);
    else depthwise_pixels<0>(conv, window, pixels);
}

}  // namespace vq::avx512
