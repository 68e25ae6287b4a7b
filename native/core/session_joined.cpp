// A convolution and the pool behind it, together.
#include "session_parts.h"

namespace vq {

// Whether operator i is a convolution whose result goes to the pool behind it and nowhere else. Then the two run
// together, a few rows at a time, and the whole map, often the largest of a network, is never stored. Where Winograd's
// algorithm applies, it saves more, in full frames: a stream that follows changes runs those in a session of their own,
// and what it counts must not depend on the instruction set.
bool Session::joins_pool(const std::vector<Op>& ops, size_t i) const {
    if (i + 1 >= ops.size() || ops[i].kind != Kind::conv || ops[i].parts.size() != 1 ||
        ops[i].parts[0].step_y != 1 || (!incremental_ && by_winograd(ops[i])) || ops[i + 1].kind != Kind::pool ||
        ops[i + 1].pool.dilation_y != 1 ||
        ops[i + 1].pool.kernel_h > 8 ||  // a window as high as the map would need all of it
        ops[i + 1].after_update ||  // which may set a grid of the pool's, and look at the whole map
        ops[i].steps.empty() || ops[i].steps.back().step.kind != Do::store)
        return false;
    // What it stores on the way is wanted whole, and each pixel once; the pool asks for some rows twice, for some never.
    for (size_t s = 0; s + 1 < ops[i].steps.size(); s++)
        if (ops[i].steps[s].slot >= 0) return false;
    const int32_t slot = ops[i].steps.back().slot;
    if (ops[i + 1].inputs[0] != slot || plan_->slots[size_t(slot)].keep) return false;
    for (const auto& [name, output] : plan_->outputs)
        if (output == slot) return false;
    int uses = 0;
    for (const auto& [name, all, updates] : plan_->programs) {
        for (const Op& op : all) {
            for (const int32_t input : op.inputs) uses += input == slot;
            for (const StepPlan& step : op.steps)
                uses += (step.slot == slot) + (step.operand == slot) + (step.reference == slot);
        }
        for (const RangeUpdate& update : updates) uses += update.slot == slot;
    }
    return uses == 2;
}

std::vector<int64_t> Session::joined(const ProgramPlan& program) const {
    std::vector<int64_t> found;
    const std::vector<Bound>& bounds = programs_[size_t(&work(program) - work_.data())];
    for (size_t i = 0; i < bounds.size(); i++)
        if (bounds[i].joined) found.push_back(int64_t(i));
    return found;
}

// Computes the rows of the pool that the spans (first, last + 1) name.
void Session::run_joined(Bound& conv, Bound& pool, const std::vector<std::pair<int32_t, int32_t>>& spans) {
    const Op& op = *conv.op;
    const Pool& p = pool.pool;
    const int64_t row = int64_t(op.w) * op.c;
    // As many rows at once as half a typical L2 cache holds, but whole windows.
    const int64_t rows = std::max<int64_t>(1, (int64_t(512) << 10) / (row * 4 * p.stride_y));
    const int64_t height = (rows - 1) * p.stride_y + p.kernel_h + p.stride_y;
    reserve_pieces(size_t(height * row) * 4);
    std::vector<std::pair<int32_t, int32_t>> tasks;
    const int32_t each = threads_->count() == 1 ? pool.op->h : std::max(1, pool.op->h / (threads_->count() * 4));
    for (const auto& [first, last] : spans)
        for (int32_t y = first; y < last; y += each) tasks.emplace_back(y, std::min(last, y + each));
    threads_->run(int64_t(tasks.size()), [&](int64_t task) {
        const Scratch::Loan loan(pieces_);
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
            kernels_->conv(c, {nullptr, (have >= 0 ? std::max(from, end) : from) * op.w, to * op.w});
            kernels_->pool(q, {nullptr, y * pool.op->w, stop * pool.op->w});
            have = from;
            end = to;
        }
    });
}

// A convolution and its pool: whole rows of the pool, those that must be computed. What changed in the map between is
// known as if it were stored, so that the pool asks for its pixels as every operator does.
void Session::follow_joined(Bound& conv, Bound& pool) {
    begin_following(conv, window(conv));
    const Changed changed = window(pool);
    const int32_t height = pool.op->h, width = pool.op->w;
    std::vector<std::pair<int32_t, int32_t>> spans;
    int32_t rows = 0;
    for (int32_t y = changed.rows.first; y < changed.rows.last; y++) {
        const uint16_t* row = map_.as<uint16_t>() + int64_t(y) * width;
        if (!changed.all && std::all_of(row, row + width, [](uint16_t moved) { return moved == 0; })) continue;
        rows++;
        if (!spans.empty() && spans.back().second == y) spans.back().second++;
        else spans.emplace_back(y, y + 1);
    }
    work_of(conv) = {conv.op->macs / height * rows, rows == height ? How::dense : How::listed};
    begin_following(pool, changed);
    run_joined(conv, pool, spans);
    count_cost(conv, double(rows) / height);
}

}  // namespace vq
