// arrange: its input's elements in another order, or some of them, or some several times. Along each dimension of its
// pixels and of its channels the input is read in steps: permutations, what a reshape makes of them, parts, repetitions.
#include "../core/operator.h"
#include "move.h"
#include "strided.h"

namespace vq {
namespace {

struct ArrangeOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    Memory from_pixel, from_channel;
};

class ArrangeBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs, op, mask);
    }
};

std::unique_ptr<Bound> ArrangeOp::bind(Buffers& buffers) const {
    return std::make_unique<ArrangeBound>(*this, buffers, numbers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    const Strided pixels(r, attrs, "pixel_"), channels(r, attrs, "channel_");
    const int32_t start = attrs.integer("start", 0, 2147483647);
    if (pixels.count() != double(head.pixels()) || channels.count() != double(head.c)) r.wrong_size();
    if (start + pixels.last() + channels.last() >= double(in.pixels()) * in.c) r.wrong_size();
    auto op = made_of<ArrangeOp>(head);
    r.take(4 * (double(head.pixels()) + head.c));
    op->from_pixel = pixels.places(start);
    if (!channels.is_dense()) op->from_channel = channels.places();
    Move& m = op->numbers;
    m.kind = MoveKind::arrange;
    m.from_pixel = op->from_pixel.as<int32_t>();
    m.from_channel = channels.is_dense() ? nullptr : op->from_channel.as<int32_t>();
    return op;
}

}  // namespace

const OpType arrange_type{"arrange", Reads::floats, parse};

namespace reference {

float arrange(const Move& a, int64_t p, int32_t c) {
    return a.in->f32()[a.from_pixel[p] + (a.from_channel ? a.from_channel[c] : c)];
}

}  // namespace reference

}  // namespace vq
