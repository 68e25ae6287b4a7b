// slice: every n-th row, column or channel from a first one on.
#include "../core/operator.h"
#include "move.h"

namespace vq {
namespace {

struct SliceOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class SliceBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_from(changes, mask, [&](int64_t& y, int64_t& x) {
            if (kernel_.dim == 1) y = kernel_.start + y * kernel_.every;
            if (kernel_.dim == 2) x = kernel_.start + x * kernel_.every;
        });
    }
};

std::unique_ptr<Bound> SliceOp::bind(Buffers& buffers) const {
    return std::make_unique<SliceBound>(*this, buffers, numbers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    auto op = made_of<SliceOp>(head);
    Move& m = op->numbers;
    m.kind = MoveKind::slice;
    m.dim = attrs.integer("dim", 1, 3);
    m.start = attrs.integer("start", 0, most_channels);
    m.every = attrs.integer("step", 1, most_channels, 1);
    const int64_t from[3] = {in.h, in.w, in.c}, to[3] = {op->h, op->w, op->c};
    for (int d = 0; d < 3; d++)
        if (d + 1 == m.dim ? m.start + (to[d] - 1) * m.every >= from[d] : from[d] != to[d]) r.wrong_size();
    return op;
}

}  // namespace

const OpType slice_type{"slice", Reads::floats, parse};

namespace reference {

float slice(const Move& a, int32_t y, int32_t x, int32_t c) {
    int32_t index[4] = {0, y, x, c};
    index[a.dim] = a.start + index[a.dim] * a.every;
    return element(*a.in, index[1], index[2], index[3]);
}

}  // namespace reference

}  // namespace vq
