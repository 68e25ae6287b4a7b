// sparse: what programs left in a sparse slot becomes one list, for those that read it after.
#include "../core/operator.h"
#include "../core/reference.h"

#include <cmath>

namespace vq {
namespace {

struct SparseOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class SparseBound : public PixelBound {
public:
    SparseBound(const Op& op, Buffers& buffers) : PixelBound(op, buffers), list_(buffers.lists[size_t(op.inputs[0])]) {}
    void run(Runner& runner, Pixels) override {
        const int64_t pixels = inputs[0].pixels();
        const SparseCopy copy = list_.count(staged_in(inputs[0].data, pixels, op.c));
        runner.parallel_for({nullptr, 0, pixels}, 1024,
                            [&](Pixels part) { runner.kernels.copy_sparse(copy, part.begin, part.end); });
    }

private:
    SparseList& list_;
};

std::unique_ptr<Bound> SparseOp::bind(Buffers& buffers) const { return std::make_unique<SparseBound>(*this, buffers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    return made_of<SparseOp>(head);
}

}  // namespace

const OpType sparse_type{"sparse", Reads::sparse, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

static float from_half(uint32_t bits) {
    const int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
    const float size = exponent ? std::ldexp(float(1024 + mantissa), exponent - 25) : std::ldexp(float(mantissa), -24);
    return bits & 0x8000 ? -size : size;
}

void copy_sparse(const SparseCopy& a, int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p++)
        for (int32_t e = a.begin[p]; e < a.begin[p + 1]; e++) {
            const int64_t k = e - a.begin[p];
            const uint32_t element = k < few_elements ? a.staged.few[p * few_elements + k] : a.staged.more[p * a.c + k];
            const uint32_t channel = std::min(element & 0xFFFF, uint32_t(a.c - 1));
            a.elements[e] = {uint16_t(channel), uint16_t(p % a.w), from_half(element >> 16)};
        }
}

}  // namespace reference

}  // namespace vq
