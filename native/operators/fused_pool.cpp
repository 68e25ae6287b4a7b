#include "fused_pool.h"

namespace vq {

// Where Winograd's algorithm applies, it saves more, in full frames: a stream that follows changes runs those in a memory
// of their own, and what it counts must not depend on the instruction set.
bool fuses_with_pool(const Plan& plan, const ProgramPlan& program, size_t i, const Kernels& kernels, Partly partly) {
    // Windows at a region's edge read what is held of the map between.
    if (partly == Partly::regions || i + 1 >= program.ops.size()) return false;
    const auto* conv = dynamic_cast<const ConvOp*>(program.ops[i].get());
    const auto* pool = dynamic_cast<const PoolOp*>(program.ops[i + 1].get());
    if (!conv || !pool || conv->parts.size() != 1 || conv->parts[0].taps.step_y != 1 ||
        (partly == Partly::none && conv->by_winograd(kernels)) || pool->window.dilation_y != 1 ||
        pool->window.kernel_h > 8 ||  // a window as high as the map would need all of it
        pool->after_update ||         // which may set a grid of the pool's, and look at the whole map
        conv->steps.empty() || conv->steps.back().step.kind != Do::store)
        return false;
    // What it stores on the way is wanted whole, and each pixel once; the pool asks for some rows twice, for some never.
    for (size_t s = 0; s + 1 < conv->steps.size(); s++)
        if (conv->steps[s].slot >= 0) return false;
    const int32_t slot = conv->steps.back().slot;
    if (pool->inputs[0] != slot || plan.slots[size_t(slot)].keep) return false;
    for (const auto& [name, output] : plan.outputs)
        if (output == slot) return false;
    int uses = 0;
    for (const ProgramPlan& other : plan.programs) {
        for (const std::unique_ptr<Op>& op : other.ops) {
            for (const int32_t input : op->inputs) uses += input == slot;
            for (const StepPlan& step : op->steps)
                uses += (step.slot == slot) + (step.operand == slot) + (step.reference == slot);
        }
        for (const RangeUpdate& update : other.updates) uses += update.slot == slot;
    }
    return uses == 2;
}

void run_fused(Convolution& conv, const PoolBound& pool, Runner& runner,
               const std::vector<std::pair<int32_t, int32_t>>& spans) {
    const Op& op = conv.op;
    const Pool& p = pool.kernel;
    const int64_t row = int64_t(op.w) * op.c;
    // As many rows at once as half a typical L2 cache holds, but whole windows.
    const int64_t rows = std::max<int64_t>(1, (int64_t(512) << 10) / (row * 4 * p.stride_y));
    const int64_t height = (rows - 1) * p.stride_y + p.kernel_h + p.stride_y;
    runner.reserve(size_t(height * row) * 4);
    conv.take_sparse();
    std::vector<std::pair<int32_t, int32_t>> tasks;
    const int32_t threads = runner.threads->count();
    const int32_t each = threads == 1 ? pool.op.h : std::max(1, pool.op.h / (threads * 4));
    for (const auto& [first, last] : spans)
        for (int32_t y = first; y < last; y += each) tasks.emplace_back(y, std::min(last, y + each));
    runner.threads->run(int64_t(tasks.size()), [&](int64_t task) {
        const Scratch::Loan loan(runner.scratch);
        float* stripe = loan.as<float>();
        std::vector<Step> steps = conv.steps;
        Conv c = conv.convs[0];
        c.program.steps = steps.data();
        Pool q = p;
        int64_t have = -1, end = -1;  // the rows of the map that lie in the stripe
        const int64_t last = tasks[size_t(task)].second;
        for (int64_t y = tasks[size_t(task)].first; y < last; y += rows) {
            const int64_t stop = std::min(last, y + rows);
            const int64_t from = std::max<int64_t>(0, y * p.stride_y - p.top);
            const int64_t to = std::min<int64_t>(op.h, (stop - 1) * p.stride_y - p.top + p.kernel_h);
            const int64_t kept = std::max<int64_t>(0, end - from);
            if (have >= 0 && kept > 0) std::memmove(stripe, stripe + (from - have) * row, size_t(kept * row) * 4);
            // Pixel numbers stay those of the whole map; it begins above the stripe.
            float* map = stripe - from * row;
            steps.back().out.data = map;
            q.in.data = map;
            runner.kernels.conv(c, {nullptr, (have >= 0 ? std::max(from, end) : from) * op.w, to * op.w});
            runner.kernels.pool(q, {nullptr, y * pool.op.w, stop * pool.op.w});
            have = from;
            end = to;
        }
    });
}

}  // namespace vq
