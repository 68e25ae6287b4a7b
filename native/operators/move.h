// What concat, join, slice, pad, pixel_shuffle, arrange and constant share: every output element copies one of the inputs' (or is a
// number), by one kernel.
#pragma once
#include "../core/operator.h"

namespace vq {

class MoveBound : public Bound {
public:
    MoveBound(const Op& op, const Buffers& buffers, const Move& numbers) : Bound(op, buffers), kernel_(numbers) {
        read(inputs);
        kernel_.out = output(), kernel_.program = program();
    }
    void run(Runner& runner, Pixels pixels) override {
        runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.move(kernel_, part); });
    }

protected:
    // What it copies from, in place of the operator's inputs.
    void read(const std::vector<Tensor>& tensors) {
        kernel_.in = tensors.data(), kernel_.inputs = int32_t(tensors.size());
    }
    // Each output pixel sees the input pixel (y, x) that `from` makes of its own, where there is such a pixel.
    template <class From>
    void fill_from(const InputChanges& changes, uint16_t* mask, const From& from) const {
        const Tensor& in = inputs[0];
        std::memset(mask, 0, size_t(op.pixels()) * 2);
        for (int32_t y = 0; y < op.h; y++)
            for (int32_t x = 0; x < op.w; x++) {
                int64_t iy = y, ix = x;
                from(iy, ix);
                if (iy >= 0 && iy < in.h && ix >= 0 && ix < in.w)
                    mask[int64_t(y) * op.w + x] = changes.masks[0][iy * in.w + ix];
            }
    }

    Move kernel_;
};

struct MoveOp : Op {
    Move numbers;
};

// The input element that an output element copies, of each kind: what the kernel is compared with.
namespace reference {

inline float element(const Tensor& in, int32_t y, int32_t x, int32_t c) {
    return in.f32()[(int64_t(y) * in.w + x) * in.stride + c];
}
float concat(const Move& a, int32_t y, int32_t x, int32_t c);
float join(const Move& a, int64_t p, int32_t c);
float arrange(const Move& a, int64_t p, int32_t c);
float slice(const Move& a, int32_t y, int32_t x, int32_t c);
float pad(const Move& a, int32_t y, int32_t x, int32_t c);
float pixel_shuffle(const Move& a, int32_t y, int32_t x, int32_t c);

}  // namespace reference

}  // namespace vq
