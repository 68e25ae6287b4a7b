// dequantize: what codes stand for; with Dense + Sparse, and what their sparse part adds.
#include "../core/operator.h"
#include "../core/reference.h"

namespace vq {
namespace {

struct DequantizeOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class DequantizeBound : public PixelBound {
public:
    DequantizeBound(const Op& op, const Buffers& buffers)
        : PixelBound(op, buffers), buffers_(buffers), kernel_{input(), output(), Grid(), Sparse(), program()} {}
    void run(Runner& runner, Pixels pixels) override {
        if (op.sparse >= 0) kernel_.sparse = buffers_.lists[size_t(op.sparse)].view();
        runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.dequantize(kernel_, part); });
    }

protected:
    void take_input_grid(const Grid& grid) override { kernel_.grid = grid; }

private:
    const Buffers& buffers_;
    Dequantize kernel_;
};

std::unique_ptr<Bound> DequantizeOp::bind(Buffers& buffers) const {
    return std::make_unique<DequantizeBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    return made_of<DequantizeOp>(head);
}

}  // namespace

const OpType dequantize_type{"dequantize", Reads::codes, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

void dequantize(const Dequantize& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        for (int c = 0; c < a.in.c; c++) {
            const int32_t code = a.in.u8()[p * a.in.stride + c];
            float value = float(code - a.grid.zero) * a.grid.scale;
            if (a.sparse.begin)
                for (int32_t e = a.sparse.begin[p]; e < a.sparse.begin[p + 1]; e++)
                    if (a.sparse.elements[e].channel == c) value = value + a.sparse.elements[e].value;
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
