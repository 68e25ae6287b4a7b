// join: the pixels of its inputs one after another, in the order of memory.
#include "../core/operator.h"
#include "move.h"

namespace vq {
namespace {

struct JoinOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class JoinBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        for (size_t i = 0; i < inputs.size(); mask += inputs[i++].pixels())
            std::memcpy(mask, changes.masks[i], size_t(inputs[i].pixels()) * 2);
    }
};

std::unique_ptr<Bound> JoinOp::bind(Buffers& buffers) const {
    return std::make_unique<JoinBound>(*this, buffers, numbers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    int64_t pixels = 0;
    for (const int32_t input : head.inputs) {
        if (r.slot(input).c != head.c) r.reader.fail(": channels differ");
        pixels += r.slot(input).pixels();
    }
    if (pixels != head.pixels()) r.reader.fail(": pixels do not add up");
    auto op = made_of<JoinOp>(head);
    op->numbers.kind = MoveKind::join;
    return op;
}

}  // namespace

const OpType join_type{"join", Reads::floats, parse};

namespace reference {

float join(const Move& a, int64_t p, int32_t c) {
    int k = 0;
    for (; p >= a.in[k].pixels(); k++) p -= a.in[k].pixels();
    return a.in[k].f32()[p * a.in[k].stride + c];
}

}  // namespace reference

}  // namespace vq
