// Placing values in memory.
#include "session_parts.h"

namespace vq {

// Buffers of values that are never needed at once share memory; in a stream that follows changes all must stay.
void Session::place_slots(const Allow& allow) {
    const size_t count = plan_->slots.size();
    std::vector<int64_t> first(count, -1), last(count, -1);
    std::vector<bool> stays(count, false);
    std::vector<bool> joined(count, false);
    int64_t time = 0;
    for (const auto& [name, ops, updates] : plan_->programs) {
        std::vector<bool> written(count, false);
        size_t update = 0;
        const auto touch = [&](int32_t slot, bool writes) {
            if (slot < 0) return;
            const size_t s = size_t(slot);
            if (first[s] < 0) first[s] = time;
            last[s] = time;
            if (writes) written[s] = true;
            else if (!written[s]) stays[s] = true;  // what an earlier frame or program left
        };
        // What is looked at between operators is still there when the one before has run.
        const auto look = [&](size_t before_op) {
            for (; update < updates.size() && updates[update].before_op == int64_t(before_op); update++)
                touch(updates[update].slot, false);
        };
        look(0);
        for (size_t i = 0; i < ops.size(); i++) {
            const Op& op = ops[i];
            for (const int32_t input : op.inputs) touch(input, false);
            for (const StepPlan& step : op.steps) {
                touch(step.operand, false);
                touch(step.reference, false);
                if (step.reference >= 0) stays[size_t(step.reference)] = true;
                touch(step.slot, true);
                touch(step.staged, true);
            }
            // A convolution that runs together with the pool behind it shares that operator's time.
            if (joins_pool(ops, i)) joined[size_t(op.steps.back().slot)] = true;
            else {
                look(i + 1);
                time++;
            }
        }
    }
    for (size_t s = 0; s < count; s++)
        if (plan_->slots[s].keep || (incremental_ && first[s] >= 0)) stays[s] = true;
    for (const auto& [name, slot] : plan_->outputs) stays[size_t(slot)] = true;

    // Largest first, each at the lowest place that is free while it lives.
    struct Placed { int64_t first, last, begin, end; };
    std::vector<Placed> placed;
    std::vector<int64_t> offset(count, -1);
    std::vector<size_t> order;
    for (size_t s = 0; s < count; s++)
        if (!stays[s] && !joined[s] && first[s] >= 0) order.push_back(s);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const size_t x = plan_->slots[a].bytes(), y = plan_->slots[b].bytes();
        return x != y ? x > y : a < b;
    });
    int64_t total = 0;
    for (const size_t s : order) {
        const int64_t size = round_up(int64_t(plan_->slots[s].bytes() + slack), 64);
        std::vector<std::pair<int64_t, int64_t>> taken;
        for (const Placed& p : placed)
            if (p.first <= last[s] && first[s] <= p.last) taken.emplace_back(p.begin, p.end);
        std::sort(taken.begin(), taken.end());
        int64_t at = 0;
        for (const auto& [begin, end] : taken) {
            if (at + size <= begin) break;
            at = std::max(at, end);
        }
        placed.push_back({first[s], last[s], at, at + size});
        offset[s] = at;
        total = std::max(total, at + size);
    }
    std::vector<size_t> apart;  // those that share nothing; no one needs the rest
    for (size_t s = 0; s < count; s++)
        if (offset[s] < 0 && !joined[s] && (first[s] >= 0 || stays[s])) apart.push_back(s);
    if (allow) {
        double bytes = double(total);
        // Following changes also keeps the change of each code and what moved, and sums as large as what is computed.
        for (const size_t s : apart)
            bytes += double(plan_->slots[s].bytes()) + (incremental_ ? double(plan_->slots[s].pixels()) * 2 : 0);
        for (const int64_t numbers : plan_->remembered) bytes += double(numbers) * 4;
        for (const ProgramPlan& program : plan_->programs)
            for (const Op& op : program.ops)
                if (incremental_ && op.kind == Kind::conv) bytes += double(op.h) * op.w * round_up(op.c, 16) * 4;
        allow(bytes);
    }
    data_.assign(count, nullptr);
    memory_.reserve(count + 1);
    memory_.emplace_back(size_t(total));
    for (size_t s = 0; s < count; s++)
        if (offset[s] >= 0) data_[s] = memory_[0].as<char>() + offset[s];
    for (const size_t s : apart) {
        memory_.emplace_back(plan_->slots[s].bytes());
        data_[s] = memory_.back().as<void>();
    }
    for (const Memory& memory : memory_) bytes_ += memory.bytes();
}

// What tasks use while they run.
void Session::reserve_pieces(size_t bytes) {
    bytes_ -= pieces_.bytes();
    pieces_.reserve(threads_->count(), bytes);
    bytes_ += pieces_.bytes();
}

}  // namespace vq
