// pixel_shuffle: channels become pixels (depth to space), in the order of PyTorch (CRD) or of ONNX's other mode (DCR).
#include "../core/operator.h"
#include "move.h"

namespace vq {
namespace {

struct PixelShuffleOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class PixelShuffleBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_from(changes, mask, [&](int64_t& y, int64_t& x) { y /= kernel_.factor, x /= kernel_.factor; });
    }
};

std::unique_ptr<Bound> PixelShuffleOp::bind(Buffers& buffers) const {
    return std::make_unique<PixelShuffleBound>(*this, buffers, numbers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    auto op = made_of<PixelShuffleOp>(head);
    Move& m = op->numbers;
    m.factor = attrs.integer("factor", 1, 256);
    m.kind = attrs.text("order", "CRD") == "DCR" ? MoveKind::shuffle_dcr : MoveKind::shuffle_crd;
    if (in.h * m.factor != op->h || in.w * m.factor != op->w || in.c != int64_t(op->c) * m.factor * m.factor)
        r.wrong_size();
    return op;
}

}  // namespace

const OpType pixel_shuffle_type{"pixel_shuffle", Reads::floats, parse};

namespace reference {

float pixel_shuffle(const Move& a, int32_t y, int32_t x, int32_t c) {
    const int32_t r = a.factor, part = y % r * r + x % r;
    const int32_t from = a.kind == MoveKind::shuffle_crd ? c * r * r + part : part * a.out.c + c;
    return element(*a.in, y / r, x / r, from);
}

}  // namespace reference

}  // namespace vq
