// pad: rows, columns and channels around, of a number, mirrored, or the nearest; negative amounts cut.
#include "../core/operator.h"
#include "move.h"

#include <algorithm>

namespace vq {
namespace {

struct PadOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class PadBound : public MoveBound {
public:
    using MoveBound::MoveBound;
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        if (kernel_.kind != MoveKind::pad_constant) return fill_all(changes, inputs[0], op, mask);  // rare
        fill_from(changes, mask, [&](int64_t& y, int64_t& x) { y -= kernel_.top, x -= kernel_.left; });
    }
};

std::unique_ptr<Bound> PadOp::bind(Buffers& buffers) const { return std::make_unique<PadBound>(*this, buffers, numbers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    auto op = made_of<PadOp>(head);
    Move& m = op->numbers;
    const auto mode = attrs.text("mode");
    if (mode != "constant" && mode != "reflect" && mode != "replicate") r.reader.fail(": unknown mode " + mode);
    m.kind = mode == "constant"  ? MoveKind::pad_constant
             : mode == "reflect" ? MoveKind::pad_reflect
                                 : MoveKind::pad_replicate;
    const auto side = [&](const char* key) { return attrs.integer(key, -largest_side, largest_side); };
    m.top = side("t"), m.left = side("l");
    const int32_t bottom = side("b"), right = side("r");
    m.front = attrs.integer("front", -most_channels, most_channels, 0);
    const int32_t back = attrs.integer("back", -most_channels, most_channels, 0);
    m.value = float(attrs.number("value", 0.0));
    if (in.h + m.top + bottom != op->h || in.w + m.left + right != op->w || in.c + m.front + back != op->c)
        r.wrong_size();
    if (m.kind == MoveKind::pad_reflect && (m.top >= in.h || bottom >= in.h || m.left >= in.w || right >= in.w))
        r.wrong_size();
    if (m.kind != MoveKind::pad_constant && (m.front != 0 || back != 0)) r.wrong_size();
    return op;
}

}  // namespace

const OpType pad_type{"pad", Reads::floats, parse};

namespace reference {

// Index i in the unpadded tensor of the given size: mirrored without its edge, or the nearest.
static int32_t reflect(int32_t i, int32_t size) { return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i; }
static int32_t replicate(int32_t i, int32_t size) { return std::clamp(i, 0, size - 1); }

float pad(const Move& a, int32_t y, int32_t x, int32_t c) {
    const Tensor& in = *a.in;
    y -= a.top, x -= a.left, c -= a.front;
    if (a.kind == MoveKind::pad_reflect)
        return element(in, reflect(y, in.h), reflect(x, in.w), reflect(c, in.c));
    if (a.kind == MoveKind::pad_replicate)
        return element(in, replicate(y, in.h), replicate(x, in.w), replicate(c, in.c));
    const bool inside = y >= 0 && y < in.h && x >= 0 && x < in.w && c >= 0 && c < in.c;
    return inside ? element(in, y, x, c) : a.value;
}

}  // namespace reference

}  // namespace vq
