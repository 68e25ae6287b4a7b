// The commonest program by far, an activation's clamp and then codes, without the general program's passes: 64
// channels at a time, and where a stream follows changes, compared as bytes.
#pragma once

namespace vq::avx512 {

// min(max(x, lo), hi) · inverse = min(max(x · inverse, lo · inverse), hi · inverse) to the last bit, because rounding
// keeps order: so a clamp joins the clamp of the grid.
struct Codes {
    bool on = false;
    float low = 0, high = 0, inverse = 1;  // of x · inverse
    int32_t zero = 0;
    uint8_t* out = nullptr;
    int64_t stride = 0;
    Track track;

    explicit Codes(const Program& program) {
        const int count = program.count;
        if (count < 1 || count > 2 || program.steps[count - 1].kind != Do::store_codes) return;
        const Step& store = program.steps[count - 1];
        inverse = store.grid.inverse;
        low = float(store.grid.low - store.grid.zero);
        high = float(store.grid.high - store.grid.zero);
        if (count == 2) {
            const Step& first = program.steps[0];
            if (first.kind != Do::clamp || first.a > first.b) return;
            const float from = first.a * inverse, to = first.b * inverse;
            // The grid's clamp comes last, so its ends win.
            low = from > low ? (from < high ? from : high) : low;
            high = to < high ? (to > low ? to : low) : high;
        }
        zero = store.grid.zero;
        out = store.out.u8();
        stride = store.out.stride;
        track = store.track;
        on = true;
    }
};

// Channels c0 … c0 + n − 1 of one pixel; N · 16 ≥ n.
template <int N>
inline __attribute__((always_inline)) void store_codes(const Codes& codes, const F32 (&v)[N], int64_t pixel, int c0,
                                                       int n) {
    const __m512 low = _mm512_set1_ps(codes.low), high = _mm512_set1_ps(codes.high);
    const __m512 inverse = _mm512_set1_ps(codes.inverse);
    const __m512i zero = _mm512_set1_epi32(codes.zero);
    __m512i q[4];
#pragma GCC unroll 4
    for (int i = 0; i < N; i++) {
        const __m512 t = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(v[i].v, inverse), low), high);
        q[i] = _mm512_add_epi32(_mm512_cvtps_epi32(t), zero);
    }
#pragma GCC unroll 4
    for (int i = N; i < 4; i++) q[i] = _mm512_setzero_si512();
    uint8_t* out = codes.out + pixel * codes.stride + c0;
    if (N == 1 && !codes.track.delta) return store_bytes(out, {q[0]}, n);
    // Packing works within 128-bit blocks: dword 4·L + i of the result belongs to place 4·i + L.
    const __m512i packed = _mm512_packus_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_permutexvar_epi32(order, packed);
    const __mmask64 tail = n == 64 ? ~__mmask64(0) : (__mmask64(1) << n) - 1;
    if (!codes.track.delta) {
        _mm512_mask_storeu_epi8(out, tail, bytes);
        return;
    }
    const __m512i old = _mm512_maskz_loadu_epi8(tail, out);
    const __m512i size = _mm512_or_si512(_mm512_subs_epu8(bytes, old), _mm512_subs_epu8(old, bytes));
    const __mmask64 moved = _mm512_mask_cmpgt_epu8_mask(tail, size, _mm512_set1_epi8(char(codes.track.tau)));
    const bool over = _mm512_mask_cmpgt_epu8_mask(moved, size, _mm512_set1_epi8(127)) != 0;
    const __m512i change = _mm512_maskz_sub_epi8(moved, bytes, old);
    _mm512_mask_storeu_epi8(out, moved, bytes);
    _mm512_mask_storeu_epi8(codes.track.delta + pixel * codes.stride + c0, tail, change);
    const int groups = __builtin_popcount(_mm512_test_epi32_mask(change, change));
    uint16_t& count = codes.track.moved[pixel];
    count = uint16_t(((c0 == 0 ? 0 : count) + groups) | (over ? wide : 0));
}

}  // namespace vq::avx512
