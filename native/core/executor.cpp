#include "executor.h"

#include <stdexcept>

#include "../operators/fused_pool.h"

namespace vq {

Executor::Executor(const Plan& plan, Runner& runner, Partly partly, const Allow& allow)
    : plan_(plan), runner_(runner), buffers_{plan, runner.kernels, partly}, grids_(plan.grids),
      fused_slots_(plan.slots.size(), false), grid_users_(plan.grids.size()) {
    for (const ProgramPlan& program : plan.programs) {
        fused_.emplace_back(program.ops.size(), false);
        for (size_t i = 0; i < program.ops.size(); i++) {
            if (!fuses_with_pool(plan, program, i, runner.kernels, partly)) continue;
            fused_.back()[i] = true;
            fused_slots_[size_t(program.ops[i]->steps.back().slot)] = true;
        }
    }
    place_slots(allow);
    buffers_.lists.resize(plan.slots.size());
    for (size_t s = 0; s < plan.slots.size(); s++) {
        const Slot& slot = plan.slots[s];
        if (!slot.sparse) continue;
        if (partly == Partly::changes)
            throw std::invalid_argument("a plan of Dense + Sparse does not run in modes that follow changes");
        buffers_.lists[s] = SparseList(slot.w, slot.c, slot.pixels());
    }
    for (const ProgramPlan& program : plan.programs) {
        programs_.emplace_back();
        for (const std::unique_ptr<Op>& op : program.ops) {
            programs_.back().push_back(op->bind(buffers_));
            Bound* bound = programs_.back().back().get();
            if (op->grid >= 0) grid_users_[size_t(op->grid)].push_back(bound);
            for (const StepPlan& step : op->steps)
                if (step.grid >= 0) grid_users_[size_t(step.grid)].push_back(bound);
        }
    }
}

Bound& Executor::ready(size_t program, size_t i, const float* input) {
    Bound& bound = *programs_[program][i];
    if (bound.stale) bound.take_grids(grids_);
    if (bound.reads_input()) bound.set_input(input);
    return bound;
}

void Executor::run(size_t program, size_t i) {
    Bound& bound = *programs_[program][i];
    if (!is_fused(program, i)) return bound.run(runner_, {nullptr, 0, bound.op.pixels()});
    const auto& pool = static_cast<const PoolBound&>(*programs_[program][i + 1]);
    run_fused(*bound.convolution(), pool, runner_, {{0, pool.op.h}});
}

void Executor::set_grid(int32_t index, const Grid& grid) {
    grids_[size_t(index)] = grid;
    for (Bound* bound : grid_users_[size_t(index)]) bound->stale = true;
}

bool Executor::needs_input(size_t program) const {
    bool needs = false;
    for (const std::unique_ptr<Bound>& bound : programs_[program]) {
        for (const int32_t in : bound->op.inputs) needs |= in == 0 && !bound->reads_input();
        for (const StepPlan& step : bound->op.steps) needs |= step.operand == 0;
    }
    return needs;
}

size_t Executor::bytes() const {
    size_t bytes = 0;
    for (const Memory& memory : memory_) bytes += memory.bytes();
    for (const SparseList& list : buffers_.lists) bytes += list.bytes();
    for (const auto& program : programs_)
        for (const std::unique_ptr<Bound>& bound : program) bytes += bound->bytes();
    return bytes;
}

// Buffers of values that are never needed at once share memory; where frames are computed partly all must stay.
void Executor::place_slots(const Allow& allow) {
    const size_t count = plan_.slots.size();
    std::vector<int64_t> first(count, -1), last(count, -1);
    std::vector<bool> stays(count, false);
    int64_t time = 0;
    for (size_t p = 0; p < plan_.programs.size(); p++) {
        const ProgramPlan& program = plan_.programs[p];
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
            for (; update < program.updates.size() && program.updates[update].before_op == int64_t(before_op); update++)
                touch(program.updates[update].slot, false);
        };
        look(0);
        for (size_t i = 0; i < program.ops.size(); i++) {
            const Op& op = *program.ops[i];
            for (const int32_t input : op.inputs) touch(input, false);
            for (const StepPlan& step : op.steps) {
                touch(step.operand, false);
                touch(step.reference, false);
                if (step.reference >= 0) stays[size_t(step.reference)] = true;
                touch(step.slot, true);
                touch(step.staged, true);
            }
            if (fused_[p][i]) continue;  // the pool behind it shares its time
            look(i + 1);
            time++;
        }
    }
    if (buffers_.partly == Partly::regions) first[0] = std::max<int64_t>(first[0], 0);  // the input is held
    for (size_t s = 0; s < count; s++)
        if (plan_.slots[s].keep || (buffers_.partly != Partly::none && first[s] >= 0)) stays[s] = true;
    for (const auto& [name, slot] : plan_.outputs) stays[size_t(slot)] = true;

    // Largest first, each at the lowest place that is free while it lives.
    struct Placed { int64_t first, last, begin, end; };
    std::vector<Placed> placed;
    std::vector<int64_t> offset(count, -1);
    std::vector<size_t> order;
    for (size_t s = 0; s < count; s++)
        if (!stays[s] && !fused_slots_[s] && first[s] >= 0) order.push_back(s);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const size_t x = plan_.slots[a].bytes(), y = plan_.slots[b].bytes();
        return x != y ? x > y : a < b;
    });
    int64_t total = 0;
    for (const size_t s : order) {
        const int64_t size = round_up(int64_t(plan_.slots[s].bytes() + slack), 64);
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
        if (offset[s] < 0 && !fused_slots_[s] && (first[s] >= 0 || stays[s])) apart.push_back(s);
    if (allow) {
        const bool follows = buffers_.partly == Partly::changes;
        double bytes = double(total);
        // Following changes also keeps the change of each code and what changed, and sums as large as what is computed.
        for (const size_t s : apart)
            bytes += double(plan_.slots[s].bytes()) + (follows ? double(plan_.slots[s].pixels()) * 2 : 0);
        for (const int64_t numbers : plan_.remembered) bytes += double(numbers) * 4;
        for (const ProgramPlan& program : plan_.programs)
            for (const std::unique_ptr<Op>& op : program.ops) bytes += follows ? op->bytes_followed() : 0;
        allow(bytes);
    }
    buffers_.data.assign(count, nullptr);
    memory_.reserve(count + 1);
    memory_.emplace_back(size_t(total));
    for (size_t s = 0; s < count; s++)
        if (offset[s] >= 0) buffers_.data[s] = memory_[0].as<char>() + offset[s];
    for (const size_t s : apart) {
        memory_.emplace_back(plan_.slots[s].bytes());
        buffers_.data[s] = memory_.back().as<void>();
    }
}

}  // namespace vq
