// constant: a tensor of the plan, which may be infinite as masks are; a concatenation of one.
#include "../core/operator.h"
#include "move.h"

namespace vq {
namespace {

struct ConstantOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    Memory value;
};

class ConstantBound : public MoveBound {
public:
    ConstantBound(const ConstantOp& op, const Buffers& buffers)
        : MoveBound(op, buffers, Move()), value_{Tensor{op.value.as<float>(), op.h, op.w, op.c, op.c}} {
        read(value_);
    }
    bool always_all() const override { return true; }
    void fill_mask(const InputChanges&, Rows, uint16_t*) const override {}

private:
    std::vector<Tensor> value_;
};

std::unique_ptr<Bound> ConstantOp::bind(Buffers& buffers) const {
    return std::make_unique<ConstantBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    auto op = made_of<ConstantOp>(head);
    const int64_t count = op->pixels() * op->c;
    op->value = r.padded(r.reader.dict("tensors").floats("value", count, true), count);
    return op;
}

}  // namespace

const OpType constant_type{"constant", Reads::nothing, parse};

}  // namespace vq
