// One stream's run of a plan, of these parts: `Executor` computes in full, `DeltaTracker` knows what changed from frame to
// frame and computes that alone, `DeltaPolicy` decides which of the two a frame is for; `RegionRunner` computes a region.
#pragma once
#include "delta_policy.h"
#include "delta_tracker.h"
#include "region_runner.h"

namespace vq {

class Session {
public:
    // partly: changes: follow them from frame to frame, so that only what changed is computed; outputs are those of a
    // session that does not, bit for bit. regions: compute the region that `look` names. allow:
    // is told how many bytes its values take, before they are taken, and may throw.
    Session(std::shared_ptr<const Plan> plan, const Kernels& kernels, int threads, Partly partly,
            const Allow& allow = nullptr);

    // The grid that the caller measures for an update of a program, by its number.
    using Measure = std::function<Grid(int64_t update)>;
    // Runs operators first … last − 1 of a program on an input of slot 0's size, with the range updates that come before
    // them; with the last operator, those behind it too.
    void run(const ProgramPlan& program, const float* input, int64_t first, int64_t last,
             const Measure& measure = nullptr);

    // With regions only. The region of the next frame; its run takes the input's pixels in it.
    void look(const Region& region);
    // Takes them from bytes, h × w × c: · gain + offset, by channel. The run's input is then slot 0.
    void take_picture(const uint8_t* picture, const float* gain, const float* offset);

    // Whether an input of slot 0's size holds neither NaN nor infinity.
    bool finite(const float* input);

    // Follow changes even where it costs more than it saves: for measuring what there is to save.
    void always_follow() { policy_.always_follow(); }
    // The next frame is computed in full.
    void refresh() { policy_.refresh(); }
    // The next frame is the first of a video: what slots keep from frame to frame becomes 0.
    void forget();

    const Plan& plan() const { return *plan_; }
    void* data(int32_t slot) const { return slot == 0 && regions_ ? executor_.data(0) : current().data(slot); }
    const SparseList& sparse(int32_t slot) const { return current().sparse(slot); }
    // By pixel how many groups of 4 channels changed; null where all of it may have.
    const uint16_t* changed(int32_t slot) const {
        return tracker_ && !policy_.full() ? tracker_->changed(slot) : nullptr;
    }
    int64_t macs_done() const { return macs_done_; }
    int64_t macs_dense() const { return macs_dense_; }
    const std::vector<Work>& work(const ProgramPlan& program) const { return work_[index_of(program)]; }
    std::vector<int64_t> fused(const ProgramPlan& program) const;  // the convolutions that run with their pools
    size_t memory_bytes() const;
    bool has_regions() const { return regions_ != nullptr; }

private:
    size_t index_of(const ProgramPlan& program) const;
    bool fuses(size_t program, size_t i) const { return (regions_ ? current() : executor_).is_fused(program, i); }
    void begin(size_t program);
    void carry(Executor& executor);
    void run_operators(size_t program, int64_t first, int64_t last);
    Executor& to_run();
    bool run_operator(size_t program, size_t i);
    void update_ranges(const RangeUpdate& update);
    void set_grid(int32_t index, const Grid& grid);
    void end();
    // Whether this frame is the work of `compact_`.
    bool is_compact() const { return tracker_ ? policy_.full() : regions_ && moving_; }
    const Executor& current() const { return compact_ && is_compact() ? *compact_ : executor_; }

    std::shared_ptr<const Plan> plan_;
    Runner runner_;
    Executor executor_;
    // Where changes are followed, and where regions are computed. Full frames one after the other are the work of
    // `compact_`, made with the first of them.
    std::unique_ptr<DeltaTracker> tracker_;
    std::unique_ptr<RegionRunner> regions_;
    std::unique_ptr<Executor> compact_;
    Executor* last_ = &executor_;  // where the last frame ran, and so what slots keep
    bool moving_ = false;  // with regions: this frame runs in `compact_`
    DeltaPolicy policy_;
    Features features_;
    std::vector<Memory> remembered_;  // see RangeUpdate
    std::vector<std::vector<Work>> work_;
    const float* input_ = nullptr;
    int64_t macs_done_ = 0, macs_dense_ = 0;
    double seconds_ = 0;  // of this frame so far
};

}  // namespace vq
