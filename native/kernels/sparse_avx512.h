// What the sparse part of a convolution's input adds, with AVX-512. A window holds few elements, and how many differs
// from pixel to pixel: in loops over them a CPU would mostly go the wrong way. So the elements of a window are brought
// together first, 4 at a time without a branch that depends on how many there are, and then summed in fours.
#pragma once
#include "sparse_generic.h"

namespace vq::avx512 {

// Taps side by side see neighbours in a row, whose elements are one run of the list.
struct SparseWindow {
    struct Run {
        int32_t dy, dx, taps;
        int32_t shift;  // from an element's place in its row to tap · c + channel, for a window at column 0
    };
    Run runs[max_taps];
    int count = 0;
    int32_t left = 0, right = 0;  // the reach of the taps
    bool grouped = false;

    explicit SparseWindow(const Conv& conv) {
        const SparseTaps& s = conv.sparse;
        if (!s.input.begin) return;
        grouped = s.in_each != conv.in.c;
        left = right = s.dx[0];
        for (int t = 0; t < s.taps; t++) {
            left = s.dx[t] < left ? s.dx[t] : left;
            right = s.dx[t] > right ? s.dx[t] : right;
            Run* last = count ? &runs[count - 1] : nullptr;
            if (last && last->dy == s.dy[t] && last->dx + last->taps == s.dx[t]) last->taps++;
            else runs[count++] = {s.dy[t], s.dx[t], 1, (t - s.dx[t]) * conv.in.c};
        }
    }
};

// The runs of one row of windows that lie inside the input.
struct SparseRows {
    struct Row {
        const int32_t* begin;  // of a window at column 0
        int64_t taps;
        __m256i shift;
    };
    Row rows[max_taps];
    int count = 0;

    void set(const Conv& conv, const SparseWindow& window, int32_t y) {
        count = 0;
        for (const SparseWindow::Run *run = window.runs, *end = run + window.count; run != end; run++) {
            const int32_t iy = y + run->dy;
            if (uint32_t(iy) >= uint32_t(conv.in.h)) continue;
            const int32_t* begin = conv.sparse.input.begin + int64_t(iy) * conv.in.w + run->dx;
            rows[count++] = {begin, run->taps, _mm256_set1_epi64x(uint32_t(run->shift))};
        }
    }
};

// Whether the windows of neighbours x … last in one row hold anything.
inline bool any_between(const SparseRows& rows, int32_t x, int32_t last) {
    int32_t count = 0;
    for (int r = 0; r < rows.count; r++) count |= rows.rows[r].begin[last + rows.rows[r].taps] - rows.rows[r].begin[x];
    return count != 0;
}

constexpr int most_elements = 48;  // of a window; more are summed tap by tap

// Brings the elements of a window together, and zeros behind them; their places become tap · c + channel for a window
// at column 0. Returns how many there are, or more than most_elements.
inline __attribute__((always_inline)) int bring_together(const SparseRows& rows, const SparseElement* list, int32_t x,
                                                         int32_t channels, SparseElement* to) {
    int count = 0;
    for (const SparseRows::Row *row = rows.rows, *end = row + rows.count; row != end; row++) {
        const int32_t* begin = row->begin + x;
        int n = begin[row->taps] - begin[0];
        const SparseElement* from = list + begin[0];
        SparseElement* next = to + count;
        count += n;
        if (__builtin_expect(count > most_elements, 0)) return count;
        do {
            const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(next), _mm256_add_epi32(four, row->shift));
            from += 4, next += 4, n -= 4;
        } while (__builtin_expect(n > 0, 0));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + count), _mm256_set1_epi64x(x * channels));
    return count;
}

// sum += value · row `place` of the weights. No product is rounded: fused with its addition or not, it is the same.
template <int V>
inline __attribute__((always_inline)) void add_element(const SparseElement& e, const char* weights, int64_t row,
                                                       __m512 (&sum)[V]) {
    const __m512 value = _mm512_set1_ps(e.value);
    const float* weight = reinterpret_cast<const float*>(weights + e.place * row);
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[v] = _mm512_fmadd_ps(value, _mm512_loadu_ps(weight + 16 * v), sum[v]);
}

// As sums_by_tap.
template <int V>
static __attribute__((noinline)) bool sparse_sums(const Conv& conv, const SparseWindow& window, const Block& b,
                                                  const int32_t* y, const int32_t* x, int m, float* sums) {
    if (window.grouped) return sums_by_tap<V>(conv, b, y, x, m, sums);
    alignas(64) SparseElement elements[16 * (most_elements + 8)];
    int counts[16];
    SparseRows rows;
    SparseElement* to = elements;
    int32_t row_y = y[0];
    rows.set(conv, window, row_y);
    const int last = m - 1;
    if (y[last] == row_y && x[last] == x[0] + last && x[0] + window.left >= 0 && x[last] + window.right < conv.in.w &&
        !any_between(rows, x[0], x[last]))
        return false;
    unsigned any = 0;
    for (int j = 0; j < m; j++) {
        counts[j] = most_elements + 1;
        if (x[j] + window.left < 0 || x[j] + window.right >= conv.in.w) continue;
        if (y[j] != row_y) rows.set(conv, window, row_y = y[j]);
        counts[j] = bring_together(rows, conv.sparse.input.elements, x[j], conv.in.c, to);
        any |= unsigned(counts[j]);
        if (counts[j] <= most_elements) to += (counts[j] + 3) & ~3;
    }
    const int64_t row = conv.sparse.row * int64_t(sizeof(float)), column = conv.in.c * row;
    const SparseElement* e = elements;
    for (int j = 0; j < m; j++, sums += 64) {
        if (__builtin_expect(counts[j] > most_elements, 0)) {
            any |= unsigned(sums_by_tap<V>(conv, b, y + j, x + j, 1, sums));
            continue;
        }
        __m512 sum[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[v] = _mm512_setzero_ps();
        const char* weights = reinterpret_cast<const char*>(conv.sparse.weight + b.first) - x[j] * column;
        for (int left = counts[j]; left > 0; left -= 4, e += 4) {
            add_element<V>(e[0], weights, row, sum);
            add_element<V>(e[1], weights, row, sum);
            add_element<V>(e[2], weights, row, sum);
            add_element<V>(e[3], weights, row, sum);
        }
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) _mm512_storeu_ps(sums + 16 * v, sum[v]);
    }
    return any != 0;
}

}  // namespace vq::avx512
