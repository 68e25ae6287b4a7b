#include "depthwise.h"

#include "../core/pack.h"
#include "../core/reference.h"

namespace vq {
namespace {

struct DepthwiseOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;

    int32_t stride_y = 1, stride_x = 1;
    Taps taps;
    Memory scale, bias;
    DepthwiseWeights weights;
    SparseWeights sparse_weights;
};

class DepthwiseBound : public WindowBound {
public:
    DepthwiseBound(const DepthwiseOp& op, Buffers& buffers)
        : WindowBound(op, buffers, op.stride_y, op.stride_x, {&op.taps}), plan_(op), buffers_(buffers),
          scale_(Memory::of<float>(size_t(op.c) + 128)), zeros_(size_t(inputs[0].stride) + 64),
          start_(Memory::of<int32_t>(size_t(op.c) + 128)) {
        kernel_.in = input(), kernel_.out = output();
        kernel_.taps = int32_t(op.taps.dy.size()), kernel_.dy = op.taps.dy.data(), kernel_.dx = op.taps.dx.data();
        kernel_.stride_y = op.stride_y, kernel_.stride_x = op.stride_x;
        kernel_.weight = op.weights.flat.as<int8_t>(), kernel_.interleaved = op.weights.interleaved.as<int8_t>();
        kernel_.zeros = zeros_.as<uint8_t>(), kernel_.start = start_.as<int32_t>();
        kernel_.scale = scale_.as<float>(), kernel_.bias = op.bias.as<float>();
        kernel_.sparse = sparse_taps(op, op.sparse_weights, op.c, op.c, op.scale.as<float>());
        kernel_.program = program();
    }
    void run(Runner& runner, Pixels pixels) override {
        if (op.sparse >= 0) kernel_.sparse.input = buffers_.lists[size_t(op.sparse)].view();
        runner.parallel_for(pixels, 96, [&](Pixels part) { runner.kernels.depthwise(kernel_, part); });
    }
    size_t bytes() const override { return scale_.bytes() + zeros_.bytes() + start_.bytes(); }

protected:
    void take_input_grid(const Grid& grid) override {
        const int32_t* sums = plan_.weights.sums.as<int32_t>();
        for (int32_t c = 0; c < op.c; c++) {
            scale_.as<float>()[c] = grid.scale * plan_.scale.as<float>()[c];
            start_.as<int32_t>()[c] = -grid.zero * sums[c];
        }
        std::memset(zeros_.as<uint8_t>(), grid.zero, size_t(inputs[0].stride));
    }

private:
    const DepthwiseOp& plan_;
    Buffers& buffers_;
    Memory scale_, zeros_, start_;
    Depthwise kernel_;
};

std::unique_ptr<Bound> DepthwiseOp::bind(Buffers& buffers) const {
    return std::make_unique<DepthwiseBound>(*this, buffers);
}

}  // namespace

std::unique_ptr<Op> make_depthwise(Memory scale, Memory bias, const Op& read, const Geometry& g, const int8_t* weight) {
    auto op = made_of<DepthwiseOp>(read);
    op->macs = read.macs;
    op->stride_y = g.stride[0], op->stride_x = g.stride[1];
    op->scale = std::move(scale), op->bias = std::move(bias);
    std::vector<std::vector<int32_t>> numbers;
    op->taps = std::move(g.parts(read, numbers)[0]);
    op->weights = pack_depthwise(weight, op->c, g.count);
    if (op->sparse >= 0) op->sparse_weights = sparse_weights(read, g, op->taps, numbers[0], weight, 0);
    return op;
}

// One value at a time: what the kernels are compared with.
namespace reference {

void depthwise(const Depthwise& conv, Pixels pixels) {
    const int64_t row = (conv.in.c + 63) / 64 * 64;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t pixel = pixels.at(i), y = pixel / conv.out.w, x = pixel % conv.out.w;
        for (int c = 0; c < conv.in.c; c++) {
            int32_t acc = conv.start[c];
            for (int t = 0; t < conv.taps; t++) {
                const int32_t iy = y * conv.stride_y + conv.dy[t], ix = x * conv.stride_x + conv.dx[t];
                const bool inside = iy >= 0 && iy < conv.in.h && ix >= 0 && ix < conv.in.w;
                const uint8_t* in =
                    inside ? conv.in.u8() + (int64_t(iy) * conv.in.w + ix) * conv.in.stride : conv.zeros;
                acc += in[c] * conv.weight[t * row + c];
            }
            float value = float(acc) * conv.scale[c] + conv.bias[c];
            if (conv.sparse.input.begin)
                value = value + sparse_sum(conv.sparse, conv.in, y * conv.stride_y, x * conv.stride_x, c);
            run_program(conv.program, value, pixel, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
