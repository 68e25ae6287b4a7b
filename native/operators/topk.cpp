// topk: the k largest or smallest channels of each pixel, the most extreme first, or which ones those are; of equal ones the
// first comes first. NaN is larger than all.
#include "../core/operator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vq {
namespace {

struct TopkOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    bool largest = true, indices = false;
};

class TopkBound : public PixelBound {
public:
    TopkBound(const TopkOp& op, const Buffers& buffers)
        : PixelBound(op, buffers), topk_(op), found_(Memory::of<float>(size_t(op.pixels()) * size_t(op.c) + 64)) {}
    void run(Runner& runner, Pixels pixels) override {
        Tensor found = output();
        found.data = found_.as<float>(), found.stride = op.c;
        const Map map{found, output(), program()};
        runner.parallel_for(pixels, 1, [&](Pixels part) {
            std::vector<int32_t> order(size_t(input().c));
            for (int64_t i = part.begin; i < part.end; i++) pick(order, part.at(i));
            runner.kernels.map(map, part);
        });
    }
    size_t bytes() const override { return found_.bytes(); }

private:
    void pick(std::vector<int32_t>& order, int64_t p) {
        const float* in = input().f32() + p * input().stride;
        float* out = found_.as<float>() + p * op.c;
        std::iota(order.begin(), order.end(), 0);
        const bool largest = topk_.largest;
        std::partial_sort(order.begin(), order.begin() + op.c, order.end(), [in, largest](int32_t a, int32_t b) {
            const float x = in[a], y = in[b];
            const bool before = largest ? x > y || (std::isnan(x) && !std::isnan(y)) : x < y || (!std::isnan(x) && std::isnan(y));
            const bool after = largest ? y > x || (std::isnan(y) && !std::isnan(x)) : y < x || (!std::isnan(y) && std::isnan(x));
            return before || (!after && a < b);
        });
        for (int32_t k = 0; k < op.c; k++) out[k] = topk_.indices ? float(order[size_t(k)]) : in[order[size_t(k)]];
    }

    const TopkOp& topk_;
    Memory found_;
};

std::unique_ptr<Bound> TopkOp::bind(Buffers& buffers) const { return std::make_unique<TopkBound>(*this, buffers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(head);
    if (in.h != head.h || in.w != head.w || head.c > in.c) r.wrong_size();
    auto op = made_of<TopkOp>(head);
    op->largest = attrs.boolean("largest"), op->indices = attrs.boolean("indices");
    r.take(4 * double(head.pixels()) * head.c);
    return op;
}

}  // namespace

const OpType topk_type{"topk", Reads::floats, parse};

}  // namespace vq
