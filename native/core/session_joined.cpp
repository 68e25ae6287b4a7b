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
        ops[i].steps.empty() || ops[i].steps.back().step.kind != Do::store)
        return false;
    const int32_t slot = ops[i].steps.back().slot;
    if (ops[i + 1].inputs[0] != slot || plan_->slots[size_t(slot)].keep) return false;
    for (const auto& [name, output] : plan_->outputs)
        if (output == slot) return false;
    int uses = 0;
    for (const auto& [name, all] : plan_->programs)
        for (const Op& op : all) {
            for (const int32_t input : op.inputs) uses += input == slot;
            for (const StepPlan& step : op.steps)
                uses += (step.slot == slot) + (step.operand == slot) + (step.reference == slot);
        }
    return uses == 2;
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

// A convolution and its pool: whole rows of the pool, those whose windows hold any change.
void Session::follow_joined(Bound& conv, Bound& pool) {
    Changed changed = window(conv);
    uint16_t* map = map_.as<uint16_t>();
    std::vector<std::pair<int32_t, int32_t>> spans;
    double share = 1;
    if (changed.all) {
        changed.rows = {0, pool.op->h};
        spans.emplace_back(0, pool.op->h);
    } else {
        const Op& op = *conv.op;
        std::vector<bool> moves(size_t(op.h));
        for (int32_t y = changed.rows.first; y < changed.rows.last; y++)
            for (int32_t x = 0; x < op.w && !moves[size_t(y)]; x++) moves[size_t(y)] = map[int64_t(y) * op.w + x] != 0;
        int32_t rows = 0;
        for (int32_t y = 0; y < pool.op->h; y++) {
            const int32_t from = std::max(0, y * pool.pool.stride_y - pool.pool.top);
            const int32_t to = std::min(op.h, y * pool.pool.stride_y - pool.pool.top + pool.pool.kernel_h);
            bool any = false;
            for (int32_t row = from; row < to; row++) any |= moves[size_t(row)];
            std::fill(map + int64_t(y) * pool.op->w, map + int64_t(y + 1) * pool.op->w, uint16_t(any));
            if (!any) continue;
            rows++;
            if (!spans.empty() && spans.back().second == y) spans.back().second++;
            else spans.emplace_back(y, y + 1);
        }
        changed.rows = spans.empty() ? Rows() : Rows{spans.front().first, spans.back().second};
        share = double(rows) / pool.op->h;
        work_of(conv) = {op.macs / pool.op->h * rows, share == 1 ? How::dense : How::listed};
    }
    begin_following(pool, changed);
    run_joined(conv, pool, spans);
    count_cost(conv, share);
}

}  // namespace vq
