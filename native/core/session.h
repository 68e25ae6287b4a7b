// One stream's run of a plan: its buffers, its threads, and where it follows changes, what it knows of the last frame.
#pragma once
#include <algorithm>
#include <memory>

#include "plan.h"
#include "predictions.h"
#include "scratch.h"
#include "sparse.h"
#include "threads.h"

namespace vq {

// How a stream that follows changes ran one layer of the last frame.
enum class How : uint8_t { dense, listed, residual };

class Session {
public:
    // incremental: follow changes from frame to frame, so that only what changed is computed; outputs are those of a
    // session that does not, bit for bit, as long as every tau is 0. allow: is told how many bytes its values take,
    // before they are taken, and may throw.
    Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, int threads, bool incremental,
            const Allow& allow = nullptr)
        : Session(std::move(plan), kernels, std::make_shared<Threads>(threads), incremental, allow) {}

    // The grid that the caller measures for an update of a program, by its number.
    using Measure = std::function<Grid(int64_t update)>;
    // Runs operators first … last − 1 of a program on an input of slot 0's size, with the range updates that come before
    // them; with the last operator, those behind it too.
    void run(const ProgramPlan& program, const float* input, int64_t first, int64_t last,
             const Measure& measure = nullptr);

    // Whether an input of slot 0's size holds neither NaN nor infinity.
    bool finite(const float* input);

    // From now on codes of this slot take a new value only where it moved by more than tau. Incremental only.
    void set_tau(int32_t slot, int32_t tau) {
        states_[size_t(slot)].tau = tau;
        bounded_ |= tau > 0;
    }
    // Follow changes even where it costs more than it saves: for measuring what there is to save.
    void always_follow() {
        fresh_ |= pace_.full;
        pace_.always = true, pace_.full = false;
    }
    // The next frame is computed in full.
    void refresh() { fresh_ = true; }

    const Plan& plan() const { return *plan_; }
    void* data(int32_t slot) const { return compact_ && pace_.full ? compact_->data(slot) : data_[size_t(slot)]; }
    const Grid& grid(int32_t index) const { return grids_[size_t(index)]; }
    const SparseList& sparse(int32_t slot) const { return lists_[size_t(slot)]; }
    const uint16_t* moved(int32_t slot) const;  // null where all of it may have changed
    int64_t macs_done() const { return macs_done_; }
    int64_t macs_dense() const { return macs_dense_; }
    const std::vector<std::pair<int64_t, How>>& work(const ProgramPlan& program) const;  // by operator: MACs done
    std::vector<int64_t> joined(const ProgramPlan& program) const;  // the convolutions that run with their pools
    size_t memory_bytes() const { return bytes_ + (compact_ ? compact_->memory_bytes() : 0); }
    bool incremental() const { return incremental_; }

private:
    Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, std::shared_ptr<Threads> threads,
            bool incremental, const Allow& allow = nullptr);

    // Of a map: first … last − 1.
    struct Rows {
        int32_t first = 0, last = 0;
        bool none() const { return first >= last; }
        Rows with(Rows other) const {
            if (none()) return other;
            if (other.none()) return *this;
            return {std::min(first, other.first), std::max(last, other.last)};
        }
    };
    // What an operator must compute: everything, or what map_ names in these rows.
    struct Changed {
        bool anew = false;  // all, and what the last frame left is not even to be compared with
        bool all = false;
        Rows rows;
    };
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
        int32_t margin = 0;  // how far it reaches past a row's ends
        Memory accumulators;
        int64_t accumulator_stride = 0;
        bool armed = false;  // the accumulators belong to the input's codes
        int32_t arm_wait = 0, arm_backoff = 1;
    };
    // What is known of a slot's change in this frame.
    struct State {
        bool all = true;  // all of it may have changed; else `moved` says
        Memory moved, delta;
        Rows rows;  // outside of these `moved` is 0
        int32_t tau = 0;
        // A slot whose readers computed nearly everything, although they knew what had changed, need not be followed.
        int32_t readers = 0, in_vain = 0;
        bool followed = false;
        int32_t skip = 0, backoff = 1;  // frames for which it is not
        std::vector<const Bound*> convolutions;  // those that read it, depthwise ones aside
    };

    void run_operators(const ProgramPlan& program, int64_t first, int64_t last);
    void update_ranges(const RangeUpdate& update);
    void set_grid(int32_t index, const Grid& grid);
    void bind(const Op& op, Bound& bound);
    void prepare(Bound& bound);
    void gather(const Bound& bound);
    Tensor tensor(int32_t slot) const;
    void place_slots(const Allow& allow);
    void take_input(const std::vector<Bound>& bounds);
    void run_dense(Bound& bound, Pixels pixels);
    void run_winograd(const Bound& bound);
    void reserve_pieces(size_t bytes);
    void run_following(Bound& bound);
    Changed window(Bound& bound);
    bool any_moved(int32_t slot) const;
    Rows reach(const Bound& bound) const;
    void fill_window(Bound& bound, Rows rows);
    void begin_following(Bound& bound, const Changed& changed);
    void narrow(Bound& bound);
    double follow_pixels(Bound& bound, Rows rows);
    double follow_convolution(Bound& bound, Rows rows);
    void follow_joined(Bound& conv, Bound& pool);
    void look_at_input();
    bool pays();
    void choose_way();
    void set_pace();
    void count_cost(const Bound& bound, double share);
    bool grids_changed(const Bound& bound) const;
    // Whether an operator, where it computes all pixels, does so by Winograd's algorithm.
    bool by_winograd(const Op& op) const { return kernels_->winograd && takes_winograd(op); }
    bool joins_pool(const std::vector<Op>& ops, size_t i) const;
    void run_joined(Bound& conv, Bound& pool, const std::vector<std::pair<int32_t, int32_t>>& spans);
    std::pair<int64_t, How>& work_of(const Bound& bound);
    template <class Call>
    void spread(Pixels pixels, int64_t least, const Call& call);

    std::shared_ptr<const Plan> plan_;
    const Kernels* kernels_;
    std::shared_ptr<Threads> threads_;
    bool incremental_, bounded_ = false;
    bool fresh_ = true;  // this frame fills the buffers, whatever is known of an earlier one
    // Following changes must not cost more than it saves. What it costs depends on how much of the frame changed, and
    // cameras and codecs mix frames of much and of little change, so costs are kept by levels of the input's change:
    // where a level's frames cost more than full ones, its next ones are computed in full, then it is tried again. In
    // mode exact it is told by time, which no output depends on; with a tau outputs depend on it, so there it is told
    // by counting. Full frames one after the other are the work of `compact_`, a session that does not follow, in less
    // memory; then this one's buffers are out of date, and must be filled before changes are followed again.
    struct Cost {
        int frames = 0;
        double usual = 0;
        // What is more than usual is mostly the machine's doing: low costs are believed sooner, by a share of `fall`.
        void add(double cost, double fall) {
            usual += (frames++ == 0 ? 1 : cost < usual ? fall : 0.1) * (cost - usual);
        }
    };
    struct Pace {
        static constexpr int levels = 6, shortest_wait = 16;
        struct Level {
            Cost cost;     // of a followed frame: seconds, or with a tau the share of a full frame's cycles
            int left = 0;  // frames in full before changes are followed again
            int wait = shortest_wait;  // how many the next time
        };
        bool always = false;   // follow whatever it costs
        bool full = false;     // this frame is `compact_`'s, as the first ones of all are
        int others = 1;        // frames in a row that the other memory would have been right for
        int level = 0;         // of this frame
        int since = 0;         // followed frames since the last full one
        int enough = 8;        // of them, until what a full one costs is measured again
        Level level_costs[levels];
        Cost full_cost;        // seconds of a frame of `compact_`
        int full_frames = 0;   // how many there were
        double seconds = 0;    // of this frame so far
        double cost = 0, dense_cost = 0;  // of this frame, estimated in cycles; of a full one
    } pace_;
    std::unique_ptr<Session> compact_;
    std::vector<float> sample_;  // a few pixels of the last input
    std::vector<Grid> grids_;
    std::vector<uint8_t> grid_changed_;
    std::vector<std::vector<Bound*>> grid_users_;  // the operators that a grid belongs to
    Features features_;
    std::vector<Memory> remembered_;  // see RangeUpdate
    std::vector<Memory> memory_;
    std::vector<void*> data_;
    std::vector<std::vector<Bound>> programs_;
    std::vector<std::vector<std::pair<int64_t, How>>> work_;
    std::vector<std::pair<int64_t, How>>* current_work_ = nullptr;
    std::vector<State> states_;
    std::vector<SparseList> lists_;  // by slot; empty but for sparse ones
    Scratch pieces_;
    Memory map_, scratch_, low_, high_, merged_;
    int64_t scratch_width_ = 0;
    const float* input_ = nullptr;
    int64_t macs_done_ = 0, macs_dense_ = 0;
    size_t bytes_ = 0;
};

}  // namespace vq
