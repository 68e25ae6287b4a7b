// Depthwise int8 convolution with VNNI: the bytes of 4 taps are interleaved, so that one vpdpbusd adds 4 taps of 16
// channels; 64 channels at a time, whole runs of pixels with the weights in registers.
#pragma once

namespace vq::avx512 {

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

// A run of pixels in one row whose windows lie inside, 64 channels from c. N: vectors of 16 channels that are used.
template <int Groups, int N>
inline void depthwise_run(const Depthwise& conv, const Window& window, const Codes& codes, int64_t pixel, int count,
                          const uint8_t* base, int c, int n) {
    const int groups = Groups ? Groups : (conv.taps + 3) / 4;
    const int8_t* packed = conv.interleaved + int64_t(c) * 4 * groups;
    __m512i weight[Groups ? 4 * Groups : 1];
    if (Groups)
        for (int i = 0; i < 4 * Groups; i++) weight[i] = _mm512_load_si512(packed + 64 * i);
    const ptrdiff_t step = ptrdiff_t(conv.stride_x) * conv.in.stride;
    const CodeVectors vectors(codes);
    for (int i = 0; i < count; i++, base += step) {
        __m512i acc[4] = {};
        const auto at = [&](int t) { return _mm512_loadu_si512(base + c + window.offset[t]); };
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
        if (codes.on) store_codes<N>(codes, vectors, v, pixel + i, c, n);
        else run_program<N>(conv.program, v, pixel + i, c, n);
    }
}

template <int Groups>
inline void depthwise_runs(const Depthwise& conv, const Window& window, const Codes& codes, int64_t pixel, int count,
                           const uint8_t* base) {
    for (int c = 0; c < conv.in.c; c += 64) {
        const int n = conv.in.c - c < 64 ? conv.in.c - c : 64;
        if (n > 48) depthwise_run<Groups, 4>(conv, window, codes, pixel, count, base, c, n);
        else if (n > 32) depthwise_run<Groups, 3>(conv, window, codes, pixel, count, base, c, n);
        else if (n > 16) depthwise_run<Groups, 2>(conv, window, codes, pixel, count, base, c, n);
        else depthwise_run<Groups, 1>(conv, window, codes, pixel, count, base, c, n);
    }
}

static void depthwise_vnni(const Depthwise& conv, Pixels pixels) {
    const Window window(conv);
    const Codes codes(conv.program);
    for (int64_t i = pixels.begin; i < pixels.end;) {
        // A run: neighbours in one row whose windows lie inside. Others go by the kernel for any pixel.
        const int32_t first = pixels.at(i), y = first / conv.out.w, x = first - y * conv.out.w;
        const int32_t in_y = y * conv.stride_y, in_x = x * conv.stride_x;
        const auto inside = [&](int32_t at) { return at + window.left >= 0 && at + window.right < conv.in.w; };
        const bool row_inside = in_y + window.top >= 0 && in_y + window.bottom < conv.in.h;
        int32_t count = 0;
        const int32_t most = conv.out.w - x;
        while (count < most && i + count < pixels.end && pixels.at(i + count) == first + count &&
               row_inside && inside(in_x + count * conv.stride_x))
            count++;
        if (count == 0) {
            depthwise(conv, {pixels.list, i, i + 1});
            i++;
            continue;
        }
        const uint8_t* base = conv.in.u8() + (int64_t(in_y) * conv.in.w + in_x) * conv.in.stride;
        if (conv.taps > 8 && conv.taps <= 12) depthwise_runs<3>(conv, window, codes, first, count, base);
        else depthwise_runs<0>(conv, window, codes, first, count, base);
        i += count;
    }
}

}  // namespace vq::avx512
