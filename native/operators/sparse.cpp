// sparse: what programs left in a sparse slot becomes one list, for those that read it after.
#include "list.h"

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

const OpType sparse_type = {"sparse", Reads::sparse, parse};

}  // namespace vq
