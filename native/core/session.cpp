#include "session.h"

#include "reference.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>

namespace vq {

Session::Session(std::shared_ptr<const Plan> plan, const Kernels& kernels, int threads, Partly partly,
                 const Allow& allow)
    : plan_(std::move(plan)), runner_(kernels, std::make_shared<Threads>(threads, kernels.thread)),
      executor_(*plan_, runner_, partly, allow), features_(&kernels, runner_.threads.get()) {
    for (const int64_t count : plan_->remembered) remembered_.push_back(Memory::of<float>(size_t(count)));
    for (const ProgramPlan& program : plan_->programs) work_.emplace_back(program.ops.size());
    if (partly == Partly::changes) tracker_ = std::make_unique<DeltaTracker>(*plan_, executor_, runner_);
    if (partly != Partly::regions) return;
    for (const ProgramPlan& program : plan_->programs)
        if (!program.updates.empty()) throw std::invalid_argument("regions need ranges that stay");
    regions_ = std::make_unique<RegionRunner>(*plan_, executor_, runner_);
}

size_t Session::index_of(const ProgramPlan& program) const {
    for (size_t i = 0; i < plan_->programs.size(); i++)
        if (&plan_->programs[i] == &program) return i;
    throw std::invalid_argument("not a program of this plan");
}

std::vector<int64_t> Session::fused(const ProgramPlan& program) const {
    std::vector<int64_t> found;
    const size_t which = index_of(program);
    for (size_t i = 0; i < program.ops.size(); i++)
        if (fuses(which, i)) found.push_back(int64_t(i));
    return found;
}

size_t Session::memory_bytes() const {
    size_t bytes = executor_.bytes() + runner_.bytes() + features_.bytes();
    if (tracker_) bytes += tracker_->bytes();
    if (regions_) bytes += regions_->bytes();
    if (compact_) bytes += compact_->bytes();
    for (const Memory& memory : remembered_) bytes += memory.bytes();
    return bytes;
}

bool Session::finite(const float* input) {
    std::atomic<bool> all{true};
    const Slot& slot = plan_->slots[0];
    runner_.parallel_for({nullptr, 0, slot.pixels()}, 8192, [&](Pixels part) {
        if (!runner_.kernels.finite(input + part.begin * slot.c, (part.end - part.begin) * slot.c)) all = false;
    });
    return all;
}

void Session::set_grid(int32_t index, const Grid& grid) {
    const Grid& old = executor_.grid(index);
    if (old.scale == grid.scale && old.zero == grid.zero && old.low == grid.low && old.high == grid.high) return;
    executor_.set_grid(index, grid);
    if (compact_) compact_->set_grid(index, grid);
    if (tracker_) tracker_->grid_changed(index);
}

void Session::forget() {
    for (size_t s = 0; s < plan_->slots.size(); s++) {
        if (!plan_->slots[s].keep) continue;
        for (Executor* executor : {&executor_, compact_.get()})
            if (executor && executor->data(int32_t(s))) std::memset(executor->data(int32_t(s)), 0, plan_->slots[s].bytes());
    }
}

// What slots keep goes with the frames from one memory to the other.
void Session::carry(Executor& executor) {
    if (&executor == last_) return;
    for (size_t s = 0; s < plan_->slots.size(); s++)
        if (plan_->slots[s].keep && executor.data(int32_t(s)))
            std::memcpy(executor.data(int32_t(s)), last_->data(int32_t(s)), plan_->slots[s].bytes());
    last_ = &executor;
}

void Session::look(const Region& region) {
    if (!regions_) throw std::invalid_argument("this session has no regions");
    // State lives in one place: a plan that keeps any is computed there, whatever moves.
    const bool keeps = std::any_of(plan_->slots.begin(), plan_->slots.end(), [](const Slot& slot) { return slot.keep; });
    moving_ = region.moving && region.whole && !keeps;
    if (moving_) to_run();  // from here on it is asked which operators run together
    regions_->begin(region);
}

void Session::take_picture(const uint8_t* picture, const float* gain, const float* offset) {
    if (!regions_) throw std::invalid_argument("this session has no regions");
    regions_->take(picture, gain, offset);
}

// Sets the grids that are predicted from a value, and remembers it where later frames need it.
void Session::update_ranges(const RangeUpdate& update) {
    const Slot& slot = plan_->slots[size_t(update.slot)];
    const float* value = update.slot == 0 ? input_ : static_cast<const float*>(data(update.slot));
    float* before = update.remembered < 0 ? nullptr : remembered_[size_t(update.remembered)].as<float>();
    const Predictions& predictions = update.predictions;
    if (!predictions.grids.empty()) {
        const auto& [rows, columns, channels] = predictions.steps;
        const Sampled sampled{value, update.compares ? before : nullptr, slot.h, slot.w, slot.c, rows, columns, channels};
        const std::vector<double> found = features_.take(sampled, predictions.features);
        for (const Predicted& predicted : predictions.grids) set_grid(predicted.index, predicted.grid(found));
    }
    if (update.remembers) std::memcpy(before, value, slot.bytes());
}

void Session::run(const ProgramPlan& program, const float* input, int64_t first, int64_t last, const Measure& measure) {
    const size_t which = index_of(program);
    const int64_t count = int64_t(program.ops.size());
    const auto splits = [&](int64_t at) { return at > 0 && fuses(which, size_t(at) - 1); };
    if (splits(first) || (last > first && splits(last)))
        throw std::invalid_argument("a convolution and the pool behind it run together; do not stop between them");
    const HoldsState held(runner_.kernels.thread);
    input_ = input;
    if (regions_ && !moving_) {  // operators read what is held
        input_ = static_cast<const float*>(executor_.data(0));
        if (first == 0 && input != input_) regions_->take(input);
    }
    for (size_t u = 0; u < program.updates.size(); u++) {
        const RangeUpdate& update = program.updates[u];
        if (update.before_op < first || (update.before_op >= last && (update.before_op < count || last < count)))
            continue;
        if (update.before_op > first) run_operators(which, first, update.before_op);
        first = update.before_op;
        if (update.measured < 0) update_ranges(update);
        else if (measure) set_grid(update.measured, measure(int64_t(u)));
        else throw std::invalid_argument("a range of this program is measured by its caller, who gave no function for it");
    }
    if (first < last || count == 0) run_operators(which, first, last);
}

// Of a frame: decides how it is computed, and takes its input.
void Session::begin(size_t program) {
    macs_done_ = macs_dense_ = 0;
    seconds_ = 0;
    if (tracker_) {
        const DeltaPolicy::Path path = policy_.select_path(tracker_->estimate_change(input_));
        if (path.calmer) tracker_->look_everywhere();
        tracker_->begin(path.fresh);
    }
    Executor& executor = to_run();
    carry(executor);
    if (!executor.needs_input(program) || input_ == executor.data(0)) return;
    if (tracker_ && !is_compact()) tracker_->compare_input(input_);
    executor.copy_input(input_);
}

// Runs operators first … last − 1, without the updates before them.
void Session::run_operators(size_t program, int64_t first, int64_t last) {
    const auto start = std::chrono::steady_clock::now();
    if (first == 0) begin(program);
    for (int64_t i = first; i < last; i++)
        if (run_operator(program, size_t(i))) i++;
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (last < int64_t(plan_->programs[program].ops.size())) return;
    if (tracker_) end();
    if (regions_ && !moving_) regions_->end(plan_->programs[program].name == "residual");
}

// The buffers of this frame.
Executor& Session::to_run() {
    if (!is_compact()) return executor_;
    if (!compact_) {
        compact_ = std::make_unique<Executor>(*plan_, runner_, Partly::none);
        for (size_t g = 0; g < plan_->grids.size(); g++) compact_->set_grid(int32_t(g), executor_.grid(int32_t(g)));
    }
    return *compact_;
}

// Runs an operator and, where it is fused with it, the pool behind it; returns whether it is.
bool Session::run_operator(size_t program, size_t i) {
    Executor& executor = to_run();
    const bool fused = executor.is_fused(program, i);
    const Op& op = executor.ready(program, i, input_).op;
    Work& work = work_[program][i];
    work = {op.macs, Path::dense, 1};
    if (fused) {
        executor.ready(program, i + 1, input_);
        work_[program][i + 1] = {0, Path::dense, 1};
    }
    if (is_compact() || !(tracker_ || regions_)) executor.run(program, i);
    else if (regions_) work = regions_->run(program, i);
    else work = fused ? tracker_->run_fused(program, i) : tracker_->run(program, i);
    macs_done_ += work.macs;
    macs_dense_ += op.macs;
    return fused;
}

// Of a frame in a session that follows changes.
void Session::end() {
    tracker_->end();
    policy_.add_cost(seconds_);
}

// One value at a time: what the kernels are compared with.
namespace reference {

bool finite(const float* values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(values[i] - values[i] == 0)) return false;
    return true;
}

}  // namespace reference

}  // namespace vq
