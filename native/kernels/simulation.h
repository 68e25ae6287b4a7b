// What simulation does to whole float32 tensors around a convolution, in one pass each, any instruction set.
#pragma once
#include "isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

// In the order of PyTorch's operators, so that NaN and the sign of 0 come out as theirs: max and min give their second
// argument where one is NaN or both are 0.
static bool quantize_steps(const Steps& s, int64_t begin, int64_t end) {
    const F32 inverse = F32::set1(s.inverse), first = F32::set1(s.first), last = F32::set1(s.last);
    const F32 scale = F32::set1(s.scale), zero = F32::set1(0);
    F32 not_finite = zero;  // 0 · x is NaN where x is not finite, and stays NaN in a sum
    const auto some = [&](int64_t i, auto&& load, auto&& store) {
        const F32 value = load(s.value + i);
        not_finite = not_finite + value * zero;
        const F32 reference = s.reference ? load(s.reference + i) : zero;
        const F32 x = s.reference ? value - reference : value;
        const F32 steps = F32::min(last, F32::max(first, rounded(x * inverse)));
        store(s.steps + i, steps);
        if (s.next) store(s.next + i, s.reference ? steps * scale + reference : steps * scale);
    };
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes)
        some(i, [](const float* p) { return F32::load(p); }, [](float* p, F32 v) { v.store(p); });
    if (i < end) {
        const int rest = int(end - i);
        const auto load = [&](const float* p) {
            float all[lanes] = {};
            for (int k = 0; k < rest; k++) all[k] = p[k];
            return F32::load(all);
        };
        some(i, load, [&](float* p, F32 v) { v.store(p, rest); });
    }
    float all[lanes];
    not_finite.store(all);
    for (const float lane : all)
        if (lane != 0) return false;
    return true;
}

static void scale_sums(const LayerSums& l, int64_t begin, int64_t end) {
    const auto row = [&](int64_t r, auto&& add) {
        float* y = l.sums + r * l.columns;
        const int64_t channel = r % l.channels;
        const F32 scale = F32::set1(l.by_row ? l.scale[channel] : 0);
        int64_t i = 0;
        for (; i + lanes <= l.columns; i += lanes)
            add(F32::load(y + i) * (l.by_row ? scale : F32::load(l.scale + i)), r, i).store(y + i);
        for (; i < l.columns; i++) {  // the rest of a row, in one lane of a vector
            const int64_t c = l.by_row ? channel : i;
            y[i] *= l.scale[c];
            if (l.bias) y[i] += l.bias[c];
            if (l.before) y[i] += l.before[r * l.columns + i];
        }
    };
    if (l.before)
        for (int64_t r = begin; r < end; r++)
            row(r, [&](F32 y, int64_t r, int64_t i) { return y + F32::load(l.before + r * l.columns + i); });
    else if (l.bias)
        for (int64_t r = begin; r < end; r++)
            row(r, [&](F32 y, int64_t r, int64_t i) {
                return y + (l.by_row ? F32::set1(l.bias[r % l.channels]) : F32::load(l.bias + i));
            });
    else
        for (int64_t r = begin; r < end; r++) row(r, [](F32 y, int64_t, int64_t) { return y; });
}

}  // namespace vq::VQ_ISA
