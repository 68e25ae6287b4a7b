#include "delta_tracker.h"

#include "../operators/fused_pool.h"

namespace vq {

DeltaTracker::DeltaTracker(const Plan& plan, Executor& executor, Runner& runner)
    : plan_(plan), executor_(executor), runner_(runner), states_(plan.slots.size()), grid_changed_(plan.grids.size(), 0) {
    int64_t most_pixels = 1, widest = 1, margin = 0;
    for (const Slot& slot : plan.slots) {
        most_pixels = std::max(most_pixels, slot.pixels());
        widest = std::max(widest, int64_t(slot.w));
    }
    for (const auto& program : executor.programs()) accumulators_.emplace_back(program.size());
    for (size_t p = 0; p < accumulators_.size(); p++)
        for (size_t i = 0; i < accumulators_[p].size(); i++) {
            Bound& bound = *executor.programs()[p][i];
            margin = std::max(margin, int64_t(bound.margin()));
            for (const int32_t input : bound.op.inputs) states_[size_t(input)].readers++;
            if (bound.convolution()) states_[size_t(bound.op.inputs[0])].convolutions.push_back(&accumulators_[p][i]);
        }
    mask_ = Memory::of<uint16_t>(size_t(most_pixels) + 64);
    runner.row_width = widest + 2 * margin + 64;
    runner.rows = Memory::of<uint16_t>(size_t(runner.row_width * runner.threads->count()));
    low_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    high_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    merged_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    for (size_t s = 0; s < states_.size(); s++) {
        const Slot& slot = plan.slots[s];
        if (!executor.data(int32_t(s)) && !executor.is_fused_slot(int32_t(s))) continue;
        states_[s].mask = Memory::of<uint16_t>(size_t(slot.pixels()));
        if (slot.codes) states_[s].delta = Memory(slot.bytes());
    }
}

size_t DeltaTracker::bytes() const {
    size_t bytes = mask_.bytes() + low_.bytes() + high_.bytes() + merged_.bytes();
    for (const State& state : states_) bytes += state.mask.bytes() + state.delta.bytes();
    return bytes;
}

double DeltaTracker::estimate_change(const float* input) {
    const Slot& slot = plan_.slots[0];
    const int64_t every = std::max<int64_t>(1, slot.pixels() / 4096) | 1;
    sample_.resize(size_t((slot.pixels() + every - 1) / every * slot.c));
    int64_t changed = 0, seen = 0;
    for (int64_t p = 0; p < slot.pixels(); p += every, seen++) {
        float* old = sample_.data() + seen * slot.c;
        const float* now = input + p * slot.c;
        __builtin_prefetch(now + 24 * every * slot.c);  // each lies in a line of its own, and in no cache
        bool same = true;
        for (int32_t c = 0; c < slot.c; c++) {
            same &= old[c] == now[c];
            old[c] = now[c];
        }
        changed += !same;
    }
    return double(changed) / double(seen);
}

void DeltaTracker::compare_input(const float* input) {
    const Slot& slot = plan_.slots[0];
    states_[0].all = false;
    states_[0].rows = {0, slot.h};
    uint16_t* mask = states_[0].mask.as<uint16_t>();
    const float* old = static_cast<float*>(executor_.data(0));
    const size_t bytes = size_t(slot.c) * 4;
    for (int64_t p = 0; p < slot.pixels(); p++)
        mask[p] = std::memcmp(old + p * slot.c, input + p * slot.c, bytes) != 0;
}

void DeltaTracker::look_everywhere() {
    for (State& state : states_) state.skip = 0, state.backoff = 1;
}

bool DeltaTracker::grids_changed(const Op& op) const {
    bool any = op.grid >= 0 && grid_changed_[size_t(op.grid)];
    for (const StepPlan& step : op.steps) any |= step.grid >= 0 && grid_changed_[size_t(step.grid)];
    return any;
}

// Whether anything changed in a slot.
bool DeltaTracker::any_changed(int32_t slot) const {
    const State& s = states_[size_t(slot)];
    if (s.all) return true;
    const int64_t w = plan_.slots[size_t(slot)].w;
    const uint16_t* mask = s.mask.as<uint16_t>();
    uint16_t any = 0;
    for (int64_t p = s.rows.first * w; p < s.rows.last * w; p++) any |= mask[p];
    return any != 0;
}

// Which output pixels an operator must compute: fills mask_ with how much changed in the window of each (a count of
// groups for layers), in the rows that it returns.
// This is the one place that decides what may stay as the last frame left it. That is what was computed from the same:
// in these buffers (fresh_), by the same grids, those of the codes that the operator reads and of all that its steps
// store (a code says nothing without its grid), and from inputs and operands that did not change there. Whatever is taken
// over from a frame (values, codes to compare with, accumulators) is taken over on what this says.
DeltaTracker::Changed DeltaTracker::select_pixels(const Bound& b) {
    const Op& op = b.op;
    const bool anew = fresh_ || grids_changed(op);
    bool all = anew || b.always_all();
    Rows inputs, operands;
    for (const int32_t input : op.inputs) {
        all |= states_[size_t(input)].all;
        inputs = inputs.with(states_[size_t(input)].rows);
    }
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0 || all) continue;
        const Slot& slot = plan_.slots[size_t(step.operand)];
        const State& state = states_[size_t(step.operand)];
        if (slot.h == op.h && slot.w == op.w) {
            all |= state.all;
            operands = operands.with(state.rows);
        } else all |= any_changed(step.operand);
    }
    if (all) return {anew, true, {0, op.h}};
    if (!inputs.none()) inputs = b.reach(inputs);
    const Rows rows = inputs.with(operands);
    if (rows.none()) return {false, false, rows};
    uint16_t* mask = mask_.as<uint16_t>();
    if (inputs.none()) std::memset(mask + int64_t(rows.first) * op.w, 0, size_t(rows.last - rows.first) * op.w * 2);
    else {
        std::vector<const uint16_t*> masks;
        for (const int32_t input : op.inputs) masks.push_back(states_[size_t(input)].mask.as<uint16_t>());
        b.fill_mask({masks, states_[size_t(op.inputs[0])].rows, runner_}, rows, mask);
    }
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0) continue;
        const Slot& slot = plan_.slots[size_t(step.operand)];
        const State& state = states_[size_t(step.operand)];
        if (slot.h != op.h || slot.w != op.w) continue;
        const uint16_t* other = state.mask.as<uint16_t>();
        // A changed operand asks for the pixel, but brings no changed groups: 1 where there is nothing else.
        for (int64_t p = int64_t(state.rows.first) * op.w; p < int64_t(state.rows.last) * op.w; p++)
            mask[p] = mask[p] | uint16_t(other[p] && !mask[p]);
    }
    return {false, false, rows};
}

// Which of the codes that an operator stores are followed in this frame.
void DeltaTracker::begin_steps(Bound& b, const Changed& changed) {
    const auto bytes = [&](Rows rows) { return size_t(rows.last - rows.first) * size_t(b.op.w) * 2; };
    for (size_t i = 0; i < b.steps.size(); i++) {
        Step& step = b.steps[i];
        const int32_t slot = b.op.steps[i].slot;
        if (slot < 0) continue;
        State& s = states_[size_t(slot)];
        step.track = Track();
        s.all = changed.all;
        if (step.kind == Do::store_codes && changed.anew) s.followed = false, s.wasted_tracks = 0;
        else if (step.kind == Do::store_codes) {
            if (s.followed) {
                const bool vain = s.readers > 0 && s.wasted_tracks == s.readers;
                s.skip = vain ? s.backoff : 0;
                s.backoff = vain ? std::min(2 * s.backoff, 16) : 1;
            }
            s.wasted_tracks = 0;
            s.followed = b.reads_input() || s.skip == 0;
            if (!s.followed) {
                s.skip--;
                s.all = true;
                continue;
            }
            step.track = {s.delta.as<int8_t>(), false, s.mask.as<uint16_t>()};
            for (const Accumulators* reader : s.convolutions) step.track.changes |= reader->valid;
            s.all = false;
        }
        if (s.all) continue;
        uint16_t* mask = s.mask.as<uint16_t>();
        if (!s.rows.none()) std::memset(mask + int64_t(s.rows.first) * b.op.w, 0, bytes(s.rows));
        s.rows = changed.rows;
        if (!step.track.delta && !s.rows.none()) {  // what is computed counts as changed
            const int64_t from = int64_t(s.rows.first) * b.op.w;
            std::memcpy(mask + from, mask_.as<uint16_t>() + from, bytes(s.rows));
        }
    }
}

// The network's input is followed everywhere: in which rows it changed.
void DeltaTracker::narrow(const Bound& b) {
    const int64_t w = b.op.w;
    for (const StepPlan& step : b.op.steps) {
        State& s = states_[size_t(step.slot)];
        if (s.all) continue;
        const uint16_t* mask = s.mask.as<uint16_t>();
        const auto still = [&](int64_t row) {
            uint16_t any = 0;
            for (int64_t p = row * w; p < (row + 1) * w; p++) any |= mask[p];
            return any == 0;
        };
        while (s.rows.first < s.rows.last && still(s.rows.first)) s.rows.first++;
        while (s.rows.first < s.rows.last && still(s.rows.last - 1)) s.rows.last--;
    }
}

// A convolution and its pool: whole rows of the pool, those that must be computed. What changed in the map between is
// known as if it were stored, so that the pool asks for its pixels as every operator does.
Work DeltaTracker::run_fused(size_t program, size_t i) {
    Bound &conv = *executor_.programs()[program][i], &pool = *executor_.programs()[program][i + 1];
    begin_steps(conv, select_pixels(conv));
    const Changed changed = select_pixels(pool);
    const int32_t height = pool.op.h, width = pool.op.w;
    std::vector<std::pair<int32_t, int32_t>> spans;
    int32_t rows = 0;
    for (int32_t y = changed.rows.first; y < changed.rows.last; y++) {
        const uint16_t* row = mask_.as<uint16_t>() + int64_t(y) * width;
        if (!changed.all && std::all_of(row, row + width, [](uint16_t groups) { return groups == 0; })) continue;
        rows++;
        if (!spans.empty() && spans.back().second == y) spans.back().second++;
        else spans.emplace_back(y, y + 1);
    }
    begin_steps(pool, changed);
    vq::run_fused(*conv.convolution(), static_cast<const PoolBound&>(pool), runner_, spans);
    return {conv.op.macs / height * rows, rows == height ? Path::dense : Path::sparse, double(rows) / height};
}

}  // namespace vq
