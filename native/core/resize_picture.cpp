#include "resize_picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Compiled for CPUs with AVX2 and FMA as well, where the compiler can do that; the same numbers either way.
#if defined(__x86_64__) && defined(__gnu_linux__)
#define FAST_CLONES __attribute__((target_clones("arch=haswell", "default")))
#else
#define FAST_CLONES
#endif

namespace vq {
namespace {

// Along one axis: output i is the sum of `counts[i]` inputs from `starts[i]` on, times weights[i · taps …].
template <typename T>
struct Axis {
    int64_t taps = 0;  // the most that any output has; the rest of the weights are 0
    std::vector<int64_t> starts, counts;
    std::vector<T> weights;
};

// In float32 the halves are double, as PyTorch's are, and so is what they are added to before it is rounded.
template <typename T>
Axis<T> triangles(int64_t from, int64_t to) {
    const T scale = T(from) / T(to), support = std::max(scale, T(1)), narrowing = scale >= 1 ? T(1) / scale : T(1);
    Axis<T> axis;
    axis.taps = int64_t(std::ceil(support)) * 2 + 1;
    axis.weights.assign(size_t(to * axis.taps), T(0));
    for (int64_t i = 0; i < to; i++) {
        const T centre = T(scale * (double(i) + 0.5));
        const int64_t start = std::max(int64_t(centre - support + 0.5), int64_t(0));
        const int64_t end = std::min(int64_t(centre + support + 0.5), from);
        const int64_t count = std::clamp(end - start, int64_t(0), axis.taps);
        T* weights = &axis.weights[size_t(i * axis.taps)];
        T total = 0;
        for (int64_t j = 0; j < count; j++) {
            const T distance = std::abs(T((T(j + start) - centre + 0.5) * narrowing));
            weights[j] = distance < 1 ? 1 - distance : T(0);
            total += weights[j];
        }
        for (int64_t j = 0; j < count && total != 0; j++) weights[j] /= total;
        axis.starts.push_back(start);
        axis.counts.push_back(count);
    }
    return axis;
}

// Weights of 16 bits: value / 2^bits. taps is a multiple of four.
struct IntegerAxis : Axis<int16_t> {
    int bits = 0;

    IntegerAxis(int64_t from, int64_t to) {
        Axis<double> exact = triangles<double>(from, to);
        starts = std::move(exact.starts), counts = std::move(exact.counts);
        const double largest = *std::max_element(exact.weights.begin(), exact.weights.end());
        while (bits < 22 && int(0.5 + largest * (1 << (bits + 1))) < 1 << 15) bits++;
        taps = (exact.taps + 3) / 4 * 4;
        weights.assign(size_t(to * taps), 0);
        for (int64_t i = 0; i < to; i++)
            for (int64_t j = 0; j < counts[size_t(i)]; j++)
                weights[size_t(i * taps + j)] = int16_t(0.5 + exact.weights[size_t(i * exact.taps + j)] * (1 << bits));
    }
};

uint8_t as_byte(int32_t sum, int bits) { return uint8_t(std::clamp(sum >> bits, 0, 255)); }

// One row of w pixels to axis.starts.size() pixels.
void row_portable(const uint8_t* in, const IntegerAxis& axis, uint8_t* out) {
    for (size_t i = 0; i < axis.starts.size(); i++, out += 3) {
        const uint8_t* from = in + 3 * axis.starts[i];
        const int16_t* weights = &axis.weights[i * size_t(axis.taps)];
        int32_t sums[3] = {1 << (axis.bits - 1), 1 << (axis.bits - 1), 1 << (axis.bits - 1)};
        for (int64_t j = 0; j < axis.counts[i]; j++)
            for (int c = 0; c < 3; c++) sums[c] += weights[j] * from[3 * j + c];
        for (int c = 0; c < 3; c++) out[c] = as_byte(sums[c], axis.bits);
    }
}

// One row of n bytes out of `count` rows of as many.
void column_portable(const uint8_t* in, int64_t n, const int16_t* weights, int64_t count, int bits, uint8_t* out,
                     int64_t begin = 0) {
    for (int64_t x = begin; x < n; x++) {
        int32_t sum = 1 << (bits - 1);
        for (int64_t j = 0; j < count; j++) sum += weights[j] * in[j * n + x];
        out[x] = as_byte(sum, bits);
    }
}

#if defined(__x86_64__)

// Two rows at once, one in each half of a register; reads up to four pixels and four bytes beyond their ends, whose
// weights are 0, and writes one byte beyond.
__attribute__((target("avx2"))) void rows_avx2(const uint8_t* in0, const uint8_t* in1, const IntegerAxis& axis,
                                               uint8_t* out0, uint8_t* out1) {
    // Of four pixels RGB, the same channel of two neighbours side by side, as 16 bits.
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i second = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    const __m256i half = _mm256_set1_epi32(1 << (axis.bits - 1));
    for (size_t i = 0; i < axis.starts.size(); i++) {
        const int64_t from = 3 * axis.starts[i];
        const int16_t* weights = &axis.weights[i * size_t(axis.taps)];
        __m256i sums = half;
        for (int64_t j = 0; j < axis.counts[i]; j += 4) {
            int32_t pairs[2];
            std::memcpy(pairs, weights + j, sizeof pairs);
            const __m256i pixels = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in0 + from + 3 * j))),
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(in1 + from + 3 * j)), 1);
            sums = _mm256_add_epi32(
                sums, _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, first), _mm256_set1_epi32(pairs[0])));
            sums = _mm256_add_epi32(
                sums, _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, second), _mm256_set1_epi32(pairs[1])));
        }
        sums = _mm256_sra_epi32(sums, _mm_cvtsi32_si128(axis.bits));
        sums = _mm256_packs_epi32(sums, sums);
        sums = _mm256_packus_epi16(sums, sums);
        const int32_t pixel0 = _mm_cvtsi128_si32(_mm256_castsi256_si128(sums));
        const int32_t pixel1 = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
        std::memcpy(out0 + 3 * i, &pixel0, 4);
        std::memcpy(out1 + 3 * i, &pixel1, 4);
    }
}

__attribute__((target("avx2"))) void column_avx2(const uint8_t* in, int64_t n, const int16_t* weights, int64_t count,
                                                 int bits, uint8_t* out) {
    const __m256i half = _mm256_set1_epi32(1 << (bits - 1));
    const __m128i shift = _mm_cvtsi32_si128(bits);
    int64_t x = 0;
    for (; x + 16 <= n; x += 16) {
        __m256i low = half, high = half;
        for (int64_t j = 0; j < count; j += 2) {  // pairs of rows; the last may stand alone
            const bool alone = j + 1 == count;
            const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + j * n + x));
            const __m128i b = alone ? _mm_setzero_si128()
                                    : _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + (j + 1) * n + x));
            int32_t pair;
            std::memcpy(&pair, weights + j, sizeof pair);
            const __m256i both = _mm256_set1_epi32(pair);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), both));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), both));
        }
        const __m256i words = _mm256_permute4x64_epi64(
            _mm256_packs_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift)), 0xD8);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x),
                         _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    }
    column_portable(in, n, weights, count, bits, out, x);
}

// Rows two by two, copied to where there is room around them; see `rows_avx2`.
void rows_by_two(const uint8_t* in, int64_t h, int64_t w, const IntegerAxis& axis, uint8_t* out) {
    const size_t row = size_t(3 * w), to = 3 * axis.starts.size();
    std::vector<uint8_t> room(2 * (row + size_t(3 * axis.taps) + 16) + 2 * (to + 1));
    uint8_t* from[2] = {room.data(), room.data() + room.size() / 2 - (to + 1)};
    uint8_t* made[2] = {room.data() + room.size() - 2 * (to + 1), room.data() + room.size() - (to + 1)};
    for (int64_t y = 0; y < h; y += 2) {
        const int64_t rows = std::min<int64_t>(2, h - y);
        for (int64_t k = 0; k < rows; k++) std::memcpy(from[k], in + size_t(y + k) * row, row);
        rows_avx2(from[0], from[1], axis, made[0], made[1]);
        for (int64_t k = rows; k-- > 0;) std::memcpy(out + size_t(y + k) * to, made[k], to);
    }
}

#endif

bool has_avx2() {
#if defined(__x86_64__)
    static const bool has = __builtin_cpu_supports("avx2");
    return has;
#else
    return false;
#endif
}

// sum = a · w + sum over n numbers; fused where it rounds once.
FAST_CLONES void add_fused(const float* a, float w, int64_t n, float* sum) {
    for (int64_t x = 0; x < n; x++) sum[x] = std::fma(a[x], w, sum[x]);
}

FAST_CLONES void add_rounded(const float* a, float w, int64_t n, float* sum) {
    for (int64_t x = 0; x < n; x++) sum[x] += a[x] * w;
}

// Rows of n numbers: row i of out is the weighted sum of rows of in. Taps after the first are added in order, those of
// whole groups of four with the product rounded before, the rest fused: the sum as PyTorch's build for x86 has it.
void sum_rows(const float* in, int64_t n, const Axis<float>& axis, float* out) {
    for (size_t i = 0; i < axis.starts.size(); i++, out += n) {
        const float* from = in + axis.starts[i] * n;
        const float* weights = &axis.weights[i * size_t(axis.taps)];
        for (int64_t x = 0; x < n; x++) out[x] = from[x] * weights[0];
        const int64_t rounded = 1 + (axis.counts[i] - 1) / 4 * 4;
        for (int64_t j = 1; j < axis.counts[i]; j++)
            (j < rounded ? add_rounded : add_fused)(from + j * n, weights[j], n, out);
    }
}

std::vector<float> transposed(const float* in, int64_t h, int64_t w) {
    std::vector<float> out(size_t(h * w));
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) out[size_t(x * h + y)] = in[y * w + x];
    return out;
}

}  // namespace

void resize_rgb(const uint8_t* in, int64_t h, int64_t w, uint8_t* out, int64_t to_h, int64_t to_w) {
    std::vector<uint8_t> narrowed;
    if (to_w != w) {
        const IntegerAxis axis(w, to_w);
        uint8_t* to = out;
        if (to_h != h) {
            narrowed.resize(size_t(h * to_w * 3));
            to = narrowed.data();
        }
#if defined(__x86_64__)
        if (has_avx2()) {
            rows_by_two(in, h, w, axis, to);
        } else
#endif
            for (int64_t y = 0; y < h; y++) row_portable(in + y * w * 3, axis, to + y * to_w * 3);
        in = to;
    }
    if (to_h != h) {
        const IntegerAxis axis(h, to_h);
        const int64_t n = to_w * 3;
        for (int64_t y = 0; y < to_h; y++) {
            const int16_t* weights = &axis.weights[size_t(y * axis.taps)];
            const uint8_t* from = in + axis.starts[size_t(y)] * n;
#if defined(__x86_64__)
            if (has_avx2()) {
                column_avx2(from, n, weights, axis.counts[size_t(y)], axis.bits, out + y * n);
                continue;
            }
#endif
            column_portable(from, n, weights, axis.counts[size_t(y)], axis.bits, out + y * n);
        }
    } else if (to_w == w) {
        std::memcpy(out, in, size_t(h * w * 3));
    }
}

void resize_plane(const float* in, int64_t h, int64_t w, float* out, int64_t to_h, int64_t to_w) {
    std::vector<float> narrowed;
    if (to_w != w) {
        const std::vector<float> columns = transposed(in, h, w);
        narrowed.resize(size_t(to_w * h));
        sum_rows(columns.data(), h, triangles<float>(w, to_w), narrowed.data());
        narrowed = transposed(narrowed.data(), to_w, h);
        in = narrowed.data();
    }
    if (to_h != h)
        sum_rows(in, to_w, triangles<float>(h, to_h), out);
    else
        std::memcpy(out, in, size_t(to_h * to_w) * sizeof(float));
}

FAST_CLONES void scale_rgb(const uint8_t* in, int64_t pixels, const float gain[3], const float offset[3], bool reverse,
                           float* out) {
    constexpr int64_t group = 24;  // eight pixels, so that vectors of any width meet the same channels
    float gains[group], offsets[group];
    for (int64_t i = 0; i < group; i++) gains[i] = gain[i % 3], offsets[i] = offset[i % 3];
    if (reverse) {
        for (int64_t i = 0; i < pixels * 3; i += 3)
            for (int64_t c = 0; c < 3; c++) out[i + c] = float(in[i + 2 - c]) * gains[c] + offsets[c];
        return;
    }
    int64_t i = 0;
    for (; i + group <= pixels * 3; i += group)
        for (int64_t j = 0; j < group; j++) out[i + j] = float(in[i + j]) * gains[j] + offsets[j];
    for (int64_t j = 0; i + j < pixels * 3; j++) out[i + j] = float(in[i + j]) * gains[j] + offsets[j];
}

FAST_CLONES void levels(const float* in, int64_t pixels, int64_t channels, const double* gain, const double* offset,
                        uint8_t* out) {
    constexpr int64_t group = 24;  // whole pixels of 1 to 4 channels
    const auto byte = [](double value) {
        const double level = std::rint(value);
        return uint8_t(int32_t(level > 0 ? level < 255 ? level : 255 : 0));
    };
    int64_t i = 0;
    if (group % channels == 0) {
        double gains[group], offsets[group];
        for (int64_t j = 0; j < group; j++) gains[j] = gain[j % channels], offsets[j] = offset[j % channels];
        for (; i + group <= pixels * channels; i += group)
            for (int64_t j = 0; j < group; j++) out[i + j] = byte((double(in[i + j]) - offsets[j]) / gains[j]);
    }
    for (; i < pixels * channels; i++) out[i] = byte((double(in[i]) - offset[i % channels]) / gain[i % channels]);
}

}  // namespace vq
