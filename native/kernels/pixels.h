// How the kernels for float32 go through output pixels, and through the channels of one, any instruction set. Where few
// channels would leave vectors empty, pixels share them.
#pragma once
#include "program.h"

namespace vq::VQ_ISA {

// Calls f(pixel, row, column). Divides only where the row changes.
template <class F>
inline __attribute__((always_inline)) void each_pixel(Pixels pixels, int32_t w, F f) {
    int32_t y = 0;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i);
        if (uint32_t(p - y * w) >= uint32_t(w)) y = p / w;
        f(p, y, p - y * w);
    }
}

// Runs a program on pixels one after the other. Where few channels would leave vectors empty and the program treats
// all elements alike, a run of pixels is one row of elements: values wait in a buffer until it is full.
class Runner {
public:
    explicit Runner(const Program& program) : program_(program), flat_(is_flat(program)) {
        if (!flat_) return;
        room_ = (capacity - 4 * lanes) / program.channels;
        // Followed codes go to a buffer first, and from there whole pixels to where they are compared.
        for (int i = 0; i < program.count; i++)
            if (program.steps[i].track.delta) followed_ = i;
        if (followed_ < 0) return;
        for (int i = 0; i < program.count; i++) steps_[i] = program.steps[i];
        steps_[followed_].track = Track();
        program_.steps = steps_;
        store_ = &program.steps[followed_];
    }
    ~Runner() { flush(); }

    // `value(c)` gives the vector of channels c … c + lanes − 1; past the last channel anything that can be read.
    template <class Value>
    inline __attribute__((always_inline)) void pixel(int64_t pixel, Value value) {
        if (!flat_) return run_pixel(program_, pixel, value);
        float* to = place(pixel);
        for (int c = 0; c < program_.channels; c += lanes) value(c).store(to + c);
    }
    // For operators that gather single elements: `element(c)` gives the one of channel c.
    template <class Element>
    inline __attribute__((always_inline)) void gather(int64_t pixel, Element element) {
        if (flat_) {
            float* to = place(pixel);
            for (int c = 0; c < program_.channels; c++) to[c] = element(c);
            return;
        }
        run_pixel(program_, pixel, [&](int c) {
            float e[lanes] = {};
            for (int k = 0; k < lanes && c + k < program_.channels; k++) e[k] = element(c + k);
            return F32::load(e);
        });
    }

private:
    static constexpr int capacity = 512;

    static bool is_flat(const Program& program) {
        if (program.channels >= 4 * lanes) return false;
        int followed = 0;
        for (int i = 0; i < program.count; i++) {
            const Step& s = program.steps[i];
            const bool by_channel = s.kind == Do::prelu || s.kind == Do::affine;
            if (by_channel || s.kind == Do::store_residual || s.staged.counts) return false;
            followed += s.track.delta != nullptr;
            if (s.out.data && s.out.stride != program.channels) return false;
            if (s.operand && !(s.operand_pixel == 0 && s.operand_channel == 0) &&
                !(s.operand_pixel == program.channels && s.operand_channel == 1))
                return false;
        }
        return !followed || (followed == 1 && program.channels % 4 == 0 && program.count <= most_steps);
    }
    // Where the next pixel's values go. They may be followed by a vector of anything.
    float* place(int64_t pixel) {
        if (count_ == room_ || pixel != first_ + count_) {
            flush();
            first_ = pixel;
        }
        return buffer_ + count_++ * program_.channels;
    }
    // To the program they are the channels of pixel 0.
    void flush() {
        const int n = count_ * program_.channels;
        if (!n) return;
        if (store_) steps_[followed_].out.data = codes_ - first_ * program_.channels;
        for (int i = 0; i < n; i += 4 * lanes) {
            F32 v[4];
            for (int k = 0; k < 4; k++) v[k] = F32::load(buffer_ + i + k * lanes);
            run_program<4>(program_, v, 0, int(first_) * program_.channels + i, n - i < 4 * lanes ? n - i : 4 * lanes);
        }
        if (store_) {
            const int64_t at = first_ * program_.channels;
            track_run(store_->out.u8() + at, store_->track.delta + at, store_->track.moved + first_, codes_, count_,
                      program_.channels);
        }
        count_ = 0;
    }

    static constexpr int most_steps = 8;

    Program program_;
    const bool flat_;
    int followed_ = -1;
    const Step* store_ = nullptr;  // the step that is followed
    Step steps_[most_steps];
    uint8_t codes_[capacity];
    int64_t first_ = 0;
    int count_ = 0, room_ = 0;
    alignas(64) float buffer_[capacity];
};

// As run_pixel, for operators that fill several vectors faster together than one after the other:
// `fill(v, c)` sets all vectors of the array v, for the channels from c.
template <class Fill>
inline __attribute__((always_inline)) void fill_pixel(const Program& program, int64_t pixel, Fill fill) {
    for (int c = 0; c < program.channels; c += 4 * lanes) {
        const int n = program.channels - c;
        if (n > 3 * lanes) {
            F32 v[4];
            fill(v, c);
            run_program<4>(program, v, pixel, c, n < 4 * lanes ? n : 4 * lanes);
        } else if (n > 2 * lanes) {
            F32 v[3];
            fill(v, c);
            run_program<3>(program, v, pixel, c, n);
        } else if (n > lanes) {
            F32 v[2];
            fill(v, c);
            run_program<2>(program, v, pixel, c, n);
        } else {
            F32 v[1];
            fill(v, c);
            run_program<1>(program, v, pixel, c, n);
        }
    }
}

// The taps of a window that lie inside: first … last − 1, of `count` taps at start, start + dilation, …
struct Span {
    int32_t first, last;
};
inline Span taps_inside(int32_t start, int32_t count, int32_t dilation, int32_t size) {
    Span t{0, count};
    if (start < 0) t.first = (-start + dilation - 1) / dilation;
    if (start + (count - 1) * dilation >= size) t.last = size > start ? (size - start - 1) / dilation + 1 : 0;
    return t;
}

}  // namespace vq::VQ_ISA
