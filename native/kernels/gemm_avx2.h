// The inner loops of convolution for AVX2: M pixels × 16 channels in registers. Bytes are widened to 16 bits and
// multiplied and added in pairs (vpmaddwd), which is exact; vpmaddubsw would saturate.
#pragma once

namespace vq::avx2 {

// 12 accumulators, a vector of weights and a broadcast: 2 of the 16 registers are left.
constexpr int tile_pixels[5] = {0, 3, 3, 3, 3};
constexpr int delta_pixels[5] = {0, 3, 3, 3, 3};

// The sums of 16 channels of one pixel, 4 in each vector: channel 4j + i is the sum of elements 2i and 2i + 1 of
// acc[j].
struct Sums {
    __m256i acc[4];

    void clear() {
        for (__m256i& a : acc) a = _mm256_setzero_si256();
    }
    // start + the sums, in the order of channels
    void store(const int32_t* start, int32_t* out) const {
        for (int half = 0; half < 2; half++) {
            const __m256i pairs = _mm256_hadd_epi32(acc[2 * half], acc[2 * half + 1]);  // 0 1 4 5 | 2 3 6 7
            const __m256i sums = _mm256_permute4x64_epi64(pairs, 0xD8);
            const __m256i first = _mm256_loadu_si256((const __m256i*)(start + 8 * half));
            _mm256_storeu_si256((__m256i*)(out + 8 * half), _mm256_add_epi32(first, sums));
        }
    }
};

// 4 weights of 4 channels as 16-bit numbers
inline __m256i widen(const int8_t* w) { return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i*)w)); }

inline __m128i load4(const void* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm_cvtsi32_si128(four);
}

// sums += w · x for M pixels; x[m] holds the 4 numbers of pixel m, widened, 4 times.
template <int M>
inline __attribute__((always_inline)) void multiply(Sums (&sums)[M], const int8_t* weight, const __m256i (&x)[M]) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m256i w = widen(weight + 16 * j);
#pragma GCC unroll 3
        for (int m = 0; m < M; m++) sums[m].acc[j] = _mm256_add_epi32(sums[m].acc[j], _mm256_madd_epi16(w, x[m]));
    }
}

// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
template <int M, int V>
static void gemm(const uint8_t* const* pointers, int taps, const Block& block, const int32_t* start, int32_t* out) {
    for (int v = 0; v < V; v++) {
        Sums sums[M];
#pragma GCC unroll 3
        for (Sums& s : sums) s.clear();
        const int8_t* weight = block.weight + 64 * v;
        for (int tap = 0; tap < taps; tap++)
            for (int32_t group = 0; group < block.groups; group++, weight += 64 * V) {
                __m256i x[M];
#pragma GCC unroll 3
                for (int m = 0; m < M; m++)
                    x[m] = _mm256_broadcastq_epi64(
                        _mm_cvtepu8_epi16(load4(pointers[tap * M + m] + block.in_offset + 4 * group)));
                multiply<M>(sums, weight, x);
            }
        for (int m = 0; m < M; m++) sums[m].store(start + 16 * v, out + 64 * m + 16 * v);
    }
}

// acc[m][…] += Σ over the listed groups of w · δ. deltas[i · M + m] are the 4 changes of group i in pixel m,
// weights[i] its row of weights.
template <int M, int V>
static void gemm_delta(const int32_t* deltas, const int8_t* const* weights, int count, int32_t* const* out) {
    for (int v = 0; v < V; v++) {
        Sums sums[M];
#pragma GCC unroll 3
        for (Sums& s : sums) s.clear();
        for (int i = 0; i < count; i++) {
            __m256i x[M];
#pragma GCC unroll 3
            for (int m = 0; m < M; m++)
                x[m] = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(load4(&deltas[i * M + m])));
            multiply<M>(sums, weights[i] + 64 * v, x);
        }
        for (int m = 0; m < M; m++) sums[m].store(out[m] + 16 * v, out[m] + 16 * v);
    }
}

// The most that the instructions above give: `rounds` times independent dot products, in registers. Returns how many
// multiply–accumulates that were. The empty asm makes the operands look new, or the compiler would multiply once.
static int64_t peak(int64_t rounds) {
    constexpr int count = 12;
    __m256i acc[count], x = _mm256_set1_epi16(3), w = _mm256_set1_epi16(5);
    for (__m256i& a : acc) a = _mm256_setzero_si256();
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (__m256i& a : acc) {
            asm volatile("" : "+x"(x));
            a = _mm256_add_epi32(a, _mm256_madd_epi16(w, x));
        }
    }
    for (__m256i& a : acc) asm volatile("" : : "x"(a));
    return rounds * count * 16;
}

}  // namespace vq::avx2
