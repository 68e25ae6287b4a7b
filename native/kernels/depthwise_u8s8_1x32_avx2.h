// Depthwise convolution: u8 codes × s8 weights into s32, one pixel × 32 channels in registers (two pixels where there
// are 8 or fewer), AVX2. Two taps of 16 channels are widened and interleaved, so that one vpmaddwd adds both for 8
// channels; whole runs of pixels keep the widened weights in the nearest cache.
#pragma once
#include "places.h"
#include "tile.h"
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "an accumulator holds 8 channels");

// The weights of 16 · N channels: for two taps and 16 channels 32 numbers, interleaved as the inputs are.
// load(tap, k): the 16 bytes of a tap from channel 16 · k on.
template <int N, class Load>
inline void pair_weights(int taps, const Load& load, int16_t* out) {
    for (int t = 0; t < taps; t += 2)
        for (int k = 0; k < N; k++, out += 32) {
            const __m256i a = _mm256_cvtepi8_epi16(load(t, k));
            const __m256i b = t + 1 < taps ? _mm256_cvtepi8_epi16(load(t + 1, k)) : _mm256_setzero_si256();
            _mm256_store_si256((__m256i*)out, _mm256_unpacklo_epi16(a, b));
            _mm256_store_si256((__m256i*)(out + 16), _mm256_unpackhi_epi16(a, b));
        }
}

// Values of neighbouring places wait here for the program, until they are a tile.
class Waiting {
public:
    template <int N>
    void add(const Program& program, const F32 (&v)[N], const int32_t* pixel, int c, int n) {
        for (int j = 0; j < N; j++) v[j].store(tile_ + tile_pitch * count_ + lanes * j);
        if (++count_ == most) run(program, pixel + 1, c, n);
    }
    // end: behind the last one's pixel.
    void run(const Program& program, const int32_t* end, int c, int n) {
        if (count_) run_tile(program, {tile_, end - count_, count_, c, n});
        count_ = 0;
    }

private:
    static constexpr int most = 16;
    int count_ = 0;
    alignas(64) float tile_[tile_pitch * most];
};

// Channels c … c + n − 1 of the places from `from` on; 16 · N ≥ n.
template <int N>
inline void depthwise_places(const Depthwise& conv, const Codes& codes, const Places& places, int from, int c, int n) {
    alignas(32) int16_t weights[Edges::taps * N * 16];
    const int64_t row = (conv.in.c + 63) / 64 * 64;
    pair_weights<N>(conv.taps, [&](int tap, int k) {
        return _mm_loadu_si128((const __m128i*)(conv.weight + tap * row + c + 16 * k));
    }, weights);
    const CodeVectors vectors(codes);
    Waiting waiting;
    for (int i = from; i < places.count; i++) {
        const uint8_t* base = places.base[i] + c;
        const ptrdiff_t* offset = places.offset + i * places.next;
        if (i + 8 < places.count) fetch_codes(codes, places.pixel[i + 8], c);
        __m256i acc[2 * N];
#pragma GCC unroll 4
        for (int j = 0; j < 2 * N; j++) acc[j] = _mm256_setzero_si256();
        const int16_t* w = weights;
        for (int t = 0; t < conv.taps; t += 2, w += 32 * N) {
            const uint8_t *first = base + offset[t], *second = base + offset[t + 1];
#pragma GCC unroll 2
            for (int k = 0; k < N; k++) {
                const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(first + 16 * k)));
                const __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(second + 16 * k)));
                const __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
                const __m256i* pair = (const __m256i*)(w + 32 * k);
                acc[2 * k] = _mm256_add_epi32(acc[2 * k], _mm256_madd_epi16(low, pair[0]));
                acc[2 * k + 1] = _mm256_add_epi32(acc[2 * k + 1], _mm256_madd_epi16(high, pair[1]));
            }
        }
        F32 v[2 * N];
#pragma GCC unroll 4
        for (int j = 0; j < 2 * N; j++) {
            const int k = j / 2 * 2;  // the interleaving left 0–3 and 8–11 in one vector, 4–7 and 12–15 in the other
            const I32 sums = {j % 2 ? _mm256_permute2x128_si256(acc[k], acc[k + 1], 0x31)
                                    : _mm256_permute2x128_si256(acc[k], acc[k + 1], 0x20)};
            v[j] = to_float(sums + I32::load(conv.start + c + 8 * j)) * F32::load(conv.scale + c + 8 * j) +
                   F32::load(conv.bias + c + 8 * j);
        }
        if (codes.on) store_codes<2 * N>(codes, vectors, v, places.pixel[i], c, n);
        else waiting.add<2 * N>(conv.program, v, places.pixel + i, c, n);
    }
    waiting.run(conv.program, places.pixel + places.count, c, n);
}

// Up to 8 channels: two places share a vector. Returns how many places are done; the last may be left.
inline int depthwise_twos(const Depthwise& conv, const Codes& codes, const Places& places) {
    alignas(32) int16_t weights[Edges::taps * 16];
    pair_weights<1>(conv.taps, [&](int tap, int) {
        const __m128i eight = _mm_loadl_epi64((const __m128i*)(conv.weight + tap * 64));
        return _mm_unpacklo_epi64(eight, eight);
    }, weights);
    const CodeVectors vectors(codes);
    const F32 scale = F32::load(conv.scale), bias = F32::load(conv.bias);
    const I32 start = I32::load(conv.start);
    const int n = conv.in.c;
    Waiting waiting;
    int i = 0;
    for (; i + 2 <= places.count; i += 2) {
        if (i + 8 < places.count) fetch_codes(codes, places.pixel[i + 8], 0);
        __m256i low = _mm256_setzero_si256(), high = low;  // channels 0–3 and 4–7 of both
        const uint8_t *first = places.base[i], *second = places.base[i + 1];
        const ptrdiff_t *of_first = places.offset + i * places.next, *of_second = of_first + places.next;
        const auto at = [&](int t) __attribute__((always_inline)) {
            const __m128i x = _mm_loadl_epi64((const __m128i*)(first + of_first[t]));
            const __m128i y = _mm_loadl_epi64((const __m128i*)(second + of_second[t]));
            return _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(x, y));
        };
        for (int t = 0; t < conv.taps; t += 2) {
            const __m256i a = at(t), b = at(t + 1);
            const __m256i* pair = (const __m256i*)(weights + 16 * t);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), pair[0]));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), pair[1]));
        }
        const I32 sums[2] = {{_mm256_permute2x128_si256(low, high, 0x20)},
                             {_mm256_permute2x128_si256(low, high, 0x31)}};
        F32 v[2];
        for (int k = 0; k < 2; k++) v[k] = to_float(sums[k] + start) * scale + bias;
        if (codes.on && !codes.staged) {
            const __m256i bytes = vectors.bytes(v[0], v[1], v[0], v[1]), next = _mm256_srli_si256(bytes, 8);
            if (codes.track.delta) {
                store_bytes32<true>(codes, bytes, places.pixel[i], 0, n);
                store_bytes32<true>(codes, next, places.pixel[i + 1], 0, n);
            } else {
                store_bytes32<false>(codes, bytes, places.pixel[i], 0, n);
                store_bytes32<false>(codes, next, places.pixel[i + 1], 0, n);
            }
            continue;
        }
        for (int k = 0; k < 2; k++) waiting.add<1>(conv.program, {v[k]}, places.pixel + i + k, 0, n);
    }
    waiting.run(conv.program, places.pixel + i, 0, n);
    return i;
}

static void depthwise_pairs(const Depthwise& conv, Pixels pixels) {
    if (conv.sparse.input.begin || conv.taps > Edges::taps) return depthwise(conv, pixels);
    const Window window(conv);
    const Codes codes(conv.program);
    by_places(conv, window, pixels, [&](const Places& places) {
        const int from = conv.in.c <= 8 ? depthwise_twos(conv, codes, places) : 0;
        for (int c = 0; c < conv.in.c && from < places.count; c += 32) {
            const int n = conv.in.c - c < 32 ? conv.in.c - c : 32;
            if (n > 16) depthwise_places<2>(conv, codes, places, from, c, n);
            else depthwise_places<1>(conv, codes, places, from, c, n);
        }
    });
}

}  // namespace vq::VQ_ISA
