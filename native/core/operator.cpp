#include "operator.h"

namespace vq {
namespace {

// Within a function: the files of operators/ are set up in no order that is known.
std::vector<const OpType*>& types() {
    static std::vector<const OpType*> all;
    return all;
}

}  // namespace

OpType::OpType(const char* kind, Reads reads, Parse parse) : kind(kind), reads(reads), parse(parse) {
    types().push_back(this);
}

const std::vector<const OpType*>& operator_types() { return types(); }

int32_t OpReader::grid_index() const {
    if (plan_.grids.empty()) reader.fail(": the plan has no grids");
    return reader.integer("grid", 0, int32_t(plan_.grids.size()) - 1);
}

int32_t OpReader::sparse_slot(int32_t h, int32_t w, int32_t c) const {
    if (!reader.has("sparse")) return -1;
    const int32_t index = slot_index("sparse");
    const Slot& s = slot(index);
    if (!s.sparse || s.h != h || s.w != w || s.c != c) reader.fail(": its sparse slot does not fit");
    return index;
}

Memory OpReader::padded(const float* values, int64_t count) const {
    take(double(count) * 4);
    Memory memory = Memory::of<float>(size_t(count) + 128);
    std::copy(values, values + count, memory.as<float>());
    return memory;
}

Bound::Bound(const Op& op, const Buffers& buffers) : op(op) {
    for (const int32_t input : op.inputs) inputs.push_back(buffers.tensor(input));
    for (const StepPlan& plan : op.steps) {
        Step step = plan.step;
        step.channel_a = plan.channel_a ? plan.channel_a.as<float>() : nullptr;
        step.channel_b = plan.channel_b ? plan.channel_b.as<float>() : nullptr;
        if (plan.operand >= 0) step.operand = static_cast<float*>(buffers.data[size_t(plan.operand)]);
        else if (step.kind >= Do::add && step.kind <= Do::rkeep_unless) step.operand = step.channel_a;
        if (plan.slot >= 0) step.out = buffers.tensor(plan.slot);
        if (plan.reference >= 0) step.reference = buffers.tensor(plan.reference);
        if (plan.staged >= 0) step.staged = staged_in(buffers.data[size_t(plan.staged)], op.pixels(), op.c);
        steps.push_back(step);
    }
}

void Bound::take_grids(const std::vector<Grid>& grids) {
    for (size_t i = 0; i < steps.size(); i++)
        if (op.steps[i].grid >= 0) steps[i].grid = grids[size_t(op.steps[i].grid)];
    if (op.grid >= 0) take_input_grid(grids[size_t(op.grid)]);
    stale = false;
}

}  // namespace vq
