// pick: elements of its input by tables, which say where each of its pixels and channels lies there: what an index that is
// known picks.
#include "../core/operator.h"
#include "move.h"

#include <algorithm>

namespace vq {
namespace {

struct PickOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    std::vector<int32_t> from_pixel, from_channel;
};

class PickBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs, op, mask);
    }
};

std::unique_ptr<Bound> PickOp::bind(Buffers& buffers) const { return std::make_unique<PickBound>(*this, buffers, numbers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    r.take(4 * (double(head.pixels()) + head.c));
    auto op = made_of<PickOp>(head);
    op->from_pixel = attrs.integers("pixels", size_t(head.pixels()), 0, 2147483647);
    op->from_channel = attrs.integers("channels", size_t(head.c), 0, 2147483647);
    const auto last = [](const std::vector<int32_t>& places) { return double(*std::max_element(places.begin(), places.end())); };
    if (last(op->from_pixel) + last(op->from_channel) >= double(in.pixels()) * in.c) r.wrong_size();
    op->numbers.kind = MoveKind::arrange;
    op->numbers.from_pixel = op->from_pixel.data(), op->numbers.from_channel = op->from_channel.data();
    return op;
}

}  // namespace

const OpType pick_type{"pick", Reads::floats, parse};

}  // namespace vq
