// matmul: products of two activations, one for each of `batches` matrices: out[b, m, n] = Σ_k x[b, m, k] · y[b, k, n].
// The first lies as its pixels (b, m) of channels k, the second is read in steps. It is packed as the weights of a
// convolution in floating point are, whose kernel adds up.
#include "../core/operator.h"
#include "strided.h"

#include <algorithm>

namespace vq {
namespace {

struct MatmulOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    int32_t batches = 1, rows = 1, inner = 1, inner_step = 1, column_step = 1;
    Memory from_batch;  // where the second's matrices begin
    int64_t width() const { return round_up(c, 64); }
};

class MatmulBound : public Bound {
public:
    MatmulBound(const MatmulOp& op, const Buffers& buffers)
        : Bound(op, buffers), matmul_(op), bias_(Memory::of<float>(size_t(op.width()))),
          packed_(Memory::of<float>(size_t(op.batches * op.inner * op.width()))) {
        kernel_.in = input(), kernel_.out = output();
        kernel_.in.h = kernel_.out.h = op.batches, kernel_.in.w = kernel_.out.w = op.rows;
        kernel_.taps = 1, kernel_.dy = kernel_.dx = &nowhere_;
        kernel_.bias = bias_.as<float>();
        kernel_.program = program();
    }
    void run(Runner& runner, Pixels pixels) override {
        runner.threads->run(matmul_.batches, [&](int64_t batch) { pack(int32_t(batch)); });
        runner.parallel_for(pixels, 24, [&](Pixels part) {
            for (Pixels some = part; some.begin < part.end; some.begin = some.end) {
                const int64_t batch = some.at(some.begin) / matmul_.rows;
                some.end = end_of(batch, some, part.end);
                FloatConv kernel = kernel_;
                kernel.weight = packed_.as<float>() + batch * matmul_.inner * matmul_.width();
                runner.kernels.float_conv(kernel, some);
            }
        });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs, op, mask);
    }
    size_t bytes() const override { return bias_.bytes() + packed_.bytes(); }

private:
    // Where the pixels of one matrix end.
    int64_t end_of(int64_t batch, const Pixels& some, int64_t last) const {
        const int64_t limit = (batch + 1) * matmul_.rows;
        if (!some.list) return std::min(limit, last);
        int64_t end = some.begin;
        while (end < last && some.list[end] < limit && some.list[end] >= limit - matmul_.rows) end++;
        return end;
    }
    void pack(int32_t batch) {
        const float* from = inputs[1].f32() + matmul_.from_batch.as<int32_t>()[batch];
        float* to = packed_.as<float>() + int64_t(batch) * matmul_.inner * matmul_.width();
        const int64_t along = matmul_.inner_step, across = matmul_.column_step;
        if (across == 1) {
            for (int32_t k = 0; k < matmul_.inner; k++)
                std::memcpy(to + k * matmul_.width(), from + k * along, size_t(op.c) * 4);
            return;
        }
        for (int32_t n = 0; n < op.c; n++)
            for (int32_t k = 0; k < matmul_.inner; k++) to[k * matmul_.width() + n] = from[k * along + n * across];
    }

    const MatmulOp& matmul_;
    const int32_t nowhere_ = 0;
    Memory bias_, packed_;
    FloatConv kernel_;
};

std::unique_ptr<Bound> MatmulOp::bind(Buffers& buffers) const {
    return std::make_unique<MatmulBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    if (head.inputs.size() != 2) r.reader.fail(": it reads two values");
    const Reader attrs = r.reader.dict("attrs");
    const Slot &x = r.input(head), &y = r.slot(head.inputs[1]);
    auto op = made_of<MatmulOp>(head);
    const Strided batches(r, attrs, "batch_");
    op->batches = int32_t(batches.count());
    op->rows = attrs.integer("rows", 1, 2147483647);
    op->inner = x.c;
    op->inner_step = attrs.integer("inner_step", 0, 2147483647);
    op->column_step = attrs.integer("column_step", 0, 2147483647);
    if (int64_t(op->batches) * op->rows != head.pixels() || x.pixels() != head.pixels()) r.wrong_size();
    const double last = batches.last() + double(op->inner - 1) * op->inner_step + double(head.c - 1) * op->column_step;
    if (last >= double(y.pixels()) * y.c) r.wrong_size();
    r.take(4 * double(op->batches) * (1 + double(op->inner) * double(op->width())));
    op->from_batch = batches.places();
    return op;
}

}  // namespace

const OpType matmul_type{"matmul", Reads::floats, parse};

}  // namespace vq
