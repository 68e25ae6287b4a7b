// concat: the channels of its inputs one after another.
#include "../core/operator.h"
#include "move.h"

namespace vq {
namespace {

struct ConcatOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class ConcatBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    Rows reach(Rows rows) const override { return rows; }
    void fill_mask(const InputChanges& changes, Rows rows, uint16_t* mask) const override {
        const int64_t begin = int64_t(rows.first) * op.w, end = int64_t(rows.last) * op.w;
        std::memset(mask + begin, 0, size_t(end - begin) * 2);
        for (const uint16_t* other : changes.masks)
            for (int64_t p = begin; p < end; p++) mask[p] |= other[p];
    }
};

std::unique_ptr<Bound> ConcatOp::bind(Buffers& buffers) const {
    return std::make_unique<ConcatBound>(*this, buffers, numbers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    int64_t channels = 0;
    for (const int32_t input : head.inputs) {
        const Slot& s = r.slot(input);
        if (s.h != head.h || s.w != head.w) r.reader.fail(": inputs differ in size");
        channels += s.c;
    }
    if (channels != head.c) r.reader.fail(": channels do not add up");
    auto op = made_of<ConcatOp>(head);
    op->numbers.kind = MoveKind::concat;
    return op;
}

}  // namespace

const OpType concat_type{"concat", Reads::floats, parse};

namespace reference {

float concat(const Move& a, int32_t y, int32_t x, int32_t c) {
    int k = 0;
    for (; c >= a.in[k].c; k++) c -= a.in[k].c;
    return element(a.in[k], y, x, c);
}

}  // namespace reference

}  // namespace vq
