// How most convolutions end, in registers, one pixel × V · 16 channels at a time: [function] [+ skip connection]
// [function] [store] [clamp, codes]. What run_tile does in passes over a tile in memory is done here on the way. Takes the
// 32 registers of AVX-512; others keep to run_tile.
#pragma once
#include VQ_CODES

namespace vq::VQ_ISA {

#if !defined(__AVX512F__)

struct Ending {
    static constexpr bool on = false;
    explicit Ending(const Program&) {}
};

template <int V>
inline void finish_pixels(const Ending&, const Conv&, const Block&, const int32_t*, const float*, const int32_t*, int) {}

#else

struct Ending {
    bool on = false;
    const Step *first = nullptr, *add = nullptr, *then = nullptr, *stored = nullptr;
    Codes codes;  // with the clamp before them; or off

    explicit Ending(const Program& program) : codes(codes_of(program)) {
        const int rest = program.count - (codes.on ? (codes.clamp ? 2 : 1) : 0);
        for (const Step *s = program.steps, *end = s + rest; s != end; s++) {
            if (stored) return;
            if (is_simple(s->kind) && !then && (add || !first)) (add ? then : first) = s;
            else if (s->kind == Do::add && s->operand_pixel && s->operand_channel && !add) add = s;
            else if (s->kind == Do::store) stored = s;
            else return;
        }
        on = program.count > 0;
    }

private:
    static bool is_simple(Do kind) {
        return kind == Do::clamp || kind == Do::leaky_relu || kind == Do::silu || kind == Do::hardswish;
    }
    static Codes codes_of(const Program& p) {
        if (p.count >= 2) {
            const Codes both(Program{p.steps + p.count - 2, 2, 0});
            if (both.on) return both;
        }
        return Codes(p.count ? Program{p.steps + p.count - 1, 1, 0} : p);
    }
};

template <int V>
inline __attribute__((always_inline)) void apply(const Step& step, F32 (&v)[V]) {
    const auto each = [&](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 4
        for (F32& x : v) x = f(x);
    };
    if (step.kind == Do::clamp) {
        const F32 low = F32::set1(step.a), high = F32::set1(step.b);
        each([&](F32 x) { return F32::min(F32::max(x, low), high); });
    } else if (step.kind == Do::leaky_relu) {
        const F32 slope = F32::set1(step.a);
        each([&](F32 x) { return F32::negative(x, x * slope, x); });
    } else if (step.kind == Do::silu) each([](F32 x) { return silu(x); });
    else each([](F32 x) { return hardswish(x); });
}

// acc, and sums of the sparse part where it has one: of pixel pixels[0]; the next 64 further.
template <int V>
static __attribute__((noinline)) void finish_pixels(const Ending& e, const Conv& conv, const Block& b, const int32_t* acc,
                                                    const float* sums, const int32_t* pixels, int count) {
    const CodeVectors vectors(e.codes);
    for (int j = 0; j < count; j++, acc += 64) {
        const int64_t pixel = pixels[j];
        F32 v[V];
#pragma GCC unroll 4
        for (int i = 0; i < V; i++)
            v[i] = to_float(I32::load(acc + 16 * i)) * F32::load(conv.scale + b.first + 16 * i) +
                   F32::load(conv.bias + b.first + 16 * i);
        if (sums)
#pragma GCC unroll 4
            for (int i = 0; i < V; i++)
                v[i] = v[i] + F32::load(conv.sparse.scale + b.first + 16 * i) * F32::load(sums + 64 * j + 16 * i);
        if (e.first) apply<V>(*e.first, v);
        if (e.add) {
            const float* other = e.add->operand + pixel * e.add->operand_pixel + b.first;
#pragma GCC unroll 4
            for (int i = 0; i < V; i++) v[i] = v[i] + F32::load(other + 16 * i);
        }
        if (e.then) apply<V>(*e.then, v);
        if (e.stored) {
            float* to = e.stored->out.f32() + pixel * e.stored->out.stride + b.first;
#pragma GCC unroll 4
            for (int i = 0; i < V; i++)
                if (b.channels >= 16 * (i + 1)) v[i].store(to + 16 * i);
                else v[i].store(to + 16 * i, b.channels - 16 * i);
        }
        if (e.codes.on) store_codes<V>(e.codes, vectors, v, pixel, b.first, b.channels);
    }
}

#endif

}  // namespace vq::VQ_ISA
