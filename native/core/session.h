// One stream's run of a plan: its buffers, its threads, and where it follows changes, what it knows of the last frame.
#pragma once
#include <memory>
#include <mutex>

#include "plan.h"
#include "predictions.h"
#include "sparse.h"
#include "threads.h"

namespace vq {

// How a stream that follows changes ran one layer of the last frame.
enum class How : uint8_t { dense, listed, residual };

class Session {
public:
    // incremental: follow changes from frame to frame, so that only what changed is computed; outputs are those of a
    // session that does not, bit for bit, as long as every tau is 0.
    Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, int threads, bool incremental)
        : Session(std::move(plan), kernels, std::make_shared<Threads>(threads), incremental) {}

    // Runs operators first … last − 1 of a program on an input of slot 0's size.
    void run(const std::vector<Op>& program, const float* input, int64_t first, int64_t last);

    // Whether an input of slot 0's size holds neither NaN nor infinity.
    bool finite(const float* input);

    void set_grid(int32_t index, const Grid& grid);
    // Sets the grids that are predicted from a value, of which only the pointers and the size are given. Returns the
    // features it found.
    std::vector<double> predict(const Predictions& predictions, Sampled sampled);
    // From now on codes of this slot take a new value only where it moved by more than tau. Incremental only.
    void set_tau(int32_t slot, int32_t tau) {
        states_[size_t(slot)].tau = tau;
        bounded_ |= tau > 0;
    }
    // Follow changes even where it costs more than it saves: for measuring what there is to save.
    void always_follow() { pace_.always = true; }
    // The next frame is computed in full.
    void refresh() { fresh_ = true; }

    const Plan& plan() const { return *plan_; }
    void* data(int32_t slot) const { return compact_ && pace_.full ? compact_->data(slot) : data_[size_t(slot)]; }
    const Grid& grid(int32_t index) const { return grids_[size_t(index)]; }
    const SparseList& sparse(int32_t slot) const { return lists_[size_t(slot)]; }
    const uint16_t* moved(int32_t slot) const;  // null where all of it may have changed
    int64_t macs_done() const { return macs_done_; }
    int64_t macs_dense() const { return macs_dense_; }
    const std::vector<std::pair<int64_t, How>>& work(const std::vector<Op>& program) const;  // by operator: MACs done
    size_t memory_bytes() const { return bytes_ + (compact_ ? compact_->memory_bytes() : 0); }
    bool incremental() const { return incremental_; }

private:
    Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, std::shared_ptr<Threads> threads,
            bool incremental);

    // An operator bound to this session's buffers.
    struct Bound {
        const Op* op = nullptr;
        std::vector<Step> steps;
        std::vector<Conv> convs;
        std::vector<FloatConv> float_convs;
        Depthwise depthwise;
        Map map;
        Dequantize dequantize;
        Pool pool;
        AdaptivePool adaptive;
        Resize resize;
        Move move;
        Softmax softmax;
        std::vector<Tensor> inputs;
        std::vector<Memory> starts;
        Memory scale, zeros;
        bool stale = true;   // its grids changed since it was prepared
        bool joined = false;  // a convolution whose only reader, the next operator, pools it: no whole map is stored
        bool direct = false;  // quantizes the network's input as it lies in the caller's memory
        // Following changes
        std::vector<int32_t> rows, columns;  // offsets of its window
        Memory accumulators;
        int64_t accumulator_stride = 0;
        bool armed = false;  // the accumulators belong to the input's codes
        int32_t arm_wait = 0, arm_backoff = 1;
    };
    // What is known of a slot's change in this frame.
    struct State {
        bool all = true;  // all of it may have changed; else `moved` says
        Memory moved, delta;
        int32_t tau = 0;
        int32_t skip = 0, backoff = 1;  // frames for which following it is not worth its cost
        std::vector<const Bound*> convolutions;  // those that read it, depthwise ones aside
    };

    void bind(const Op& op, Bound& bound);
    void prepare(Bound& bound);
    void gather(const Bound& bound);
    Tensor tensor(int32_t slot) const;
    void place_slots();
    void take_input(const std::vector<Bound>& bounds);
    void run_dense(Bound& bound, Pixels pixels);
    void run_following(Bound& bound);
    void window(Bound& bound, bool& all);
    void begin_following(Bound& bound, bool all);
    void end_following(Bound& bound, bool all);
    void follow_convolution(Bound& bound, bool all);
    void follow_joined(Bound& conv, Bound& pool);
    void set_pace();
    bool calmer();
    void count_cost(const Bound& bound, double share, bool followed);
    bool grids_changed(const Bound& bound) const;
    bool joins_pool(const std::vector<Op>& ops, size_t i) const;
    void run_joined(Bound& conv, Bound& pool, const std::vector<std::pair<int32_t, int32_t>>& spans);
    std::pair<int64_t, How>& work_of(const Bound& bound);
    template <class Call>
    void spread(Pixels pixels, int64_t least, const Call& call);

    std::shared_ptr<const Plan> plan_;
    const Kernels* kernels_;
    std::shared_ptr<Threads> threads_;
    bool incremental_, bounded_ = false;
    bool fresh_ = true;  // this frame fills the buffers, nothing is known of an earlier one
    // Following changes must not cost more than it saves: where it did for a few frames, the next ones are computed in
    // full by `compact_`, a session that does not follow, in less memory, then it is tried again. In mode exact it is
    // told by time, which no output depends on; with a tau outputs depend on it, so there it is told by counting.
    struct Pace {
        bool always = false;  // follow whatever it costs
        bool full = false;    // this frame is `compact_`'s
        int left = 4;         // frames in full before changes are followed (again)
        int wait = 16;        // how many the next time
        int since = 0;         // frames followed
        double ratio = 1;      // their cost over that of full ones, smoothed
        double dense = 0, seconds = 0;     // time of a full frame, smoothed; of this frame so far
        double cost = 0, dense_cost = 0;   // of this frame, estimated in cycles; of a full one
    } pace_;
    std::unique_ptr<Session> compact_;
    std::vector<float> sample_;  // a few pixels of the last input
    double unrest_ = 1, unrest_before_ = 1;  // the share of them that changes, smoothed; when that was last looked at
    std::vector<Grid> grids_;
    std::vector<uint8_t> grid_changed_;
    std::vector<std::vector<Bound*>> grid_users_;  // the operators that a grid belongs to
    Features features_;
    std::vector<Memory> memory_;
    std::vector<void*> data_;
    std::vector<std::vector<Bound>> programs_;
    std::vector<std::vector<std::pair<int64_t, How>>> work_;
    std::vector<std::pair<int64_t, How>>* current_work_ = nullptr;
    std::vector<State> states_;
    std::vector<SparseList> lists_;  // by slot; empty but for sparse ones
    std::vector<Memory> stripes_;  // a few rows for each thread that runs a joined pair
    std::vector<float*> free_stripes_;
    std::mutex stripes_mutex_;
    Memory map_, scratch_, low_, high_, merged_;
    const float* input_ = nullptr;
    int64_t macs_done_ = 0, macs_dense_ = 0;
    size_t bytes_ = 0;
};

}  // namespace vq
