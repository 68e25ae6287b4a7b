// Whether following changes pays.
#include "session_parts.h"

namespace vq {

// Notes how much of the input changed since the frame before, by a sample of its pixels.
void Session::look_at_input() {
    const Slot& slot = plan_->slots[0];
    const int64_t every = std::max<int64_t>(1, slot.pixels() / 4096) | 1;
    sample_.resize(size_t((slot.pixels() + every - 1) / every * slot.c));
    int64_t changed = 0, seen = 0;
    for (int64_t p = 0; p < slot.pixels(); p += every, seen++) {
        float* old = sample_.data() + seen * slot.c;
        const float* now = input_ + p * slot.c;
        __builtin_prefetch(now + 24 * every * slot.c);  // each lies in a line of its own, and in no cache
        bool same = true;
        for (int32_t c = 0; c < slot.c; c++) {
            same &= old[c] == now[c];
            old[c] = now[c];
        }
        changed += !same;
    }
    const double share = double(changed) / double(seen);
    static const double ends[Pace::levels - 1] = {0, 0.02, 0.1, 0.25, 0.5};
    const int before = pace_.level;
    pace_.level = 0;
    while (pace_.level < Pace::levels - 1 && share > ends[pace_.level]) pace_.level++;
    if (pace_.level >= before) return;
    for (State& state : states_) state.skip = 0, state.backoff = 1;  // calmer: see everywhere again what moves
}

// Whether following changes pays in this frame.
bool Session::pays() {
    if (pace_.always) return true;
    Pace::Level& level = pace_.level_costs[pace_.level];
    if (level.left == 0) return true;
    if (--level.left == 0) level.cost = Cost();
    return false;
}

// How this frame is computed. Single frames unlike those around them are no reason to leave one memory for the other.
void Session::choose_way() {
    const bool pays = this->pays();
    const bool was_full = pace_.full;
    if (!pace_.always && !bounded_) {
        // What a full frame takes must be known, and known anew now and then where little is gained.
        const bool close = pace_.level_costs[pace_.level].cost.usual > 0.6 * pace_.full_cost.usual;
        if (pace_.since >= pace_.enough && close) {
            pace_.full = true, pace_.others = -1;
            pace_.enough = std::min(2 * pace_.enough, 64);
        }
        if (pace_.full_cost.frames < 2) pace_.others = -1;
    }
    pace_.others = pays == pace_.full ? pace_.others + 1 : 0;
    if (pace_.others >= (pace_.full ? 2 : 4)) pace_.full = !pace_.full, pace_.others = 0;
    fresh_ |= was_full || !pays;
}

// An operator's part in the estimated cost of this frame: dot products, then a quarter of a cycle for each output
// value. share: of its pixels or of its products. Lists are slower than whole rows, followed codes are compared, and
// finding out what changed has its own cost: measured on PoseNet and ResNet-18.
void Session::count_cost(const Bound& b, double share) {
    const Op& op = *b.op;
    const double outputs = double(op.h) * op.w * op.c;
    const double dense = double(op.macs) / (op.kind == Kind::depthwise ? 32 : 128) + outputs / 4;
    pace_.dense_cost += dense;
    pace_.cost += dense * (1.35 * share + 0.06);
}

// After a frame: what it cost, and what that says about the next ones.
void Session::set_pace() {
    if (pace_.full) {
        // The first frame of all touches its memory for the first time: its time is no measure.
        // Full frames all cost the same, so the fastest of late is believed.
        if (pace_.full_frames++ > 0) pace_.full_cost.add(pace_.seconds, 1);
        pace_.since = 0;
    }
    if (pace_.full || fresh_) {
        fresh_ = false;
        return;
    }
    pace_.since++;
    Pace::Level& level = pace_.level_costs[pace_.level];
    level.cost.add(bounded_ ? pace_.cost / pace_.dense_cost : pace_.seconds, 0.5);
    const double excess = level.cost.usual / (bounded_ ? 1 : pace_.full_cost.usual);
    if (level.cost.frames > 16 && excess < 0.97) level.wait = Pace::shortest_wait;
    if (excess < 1 || level.cost.frames < (excess > 1.15 ? 2 : 4)) return;
    // Frames that change more cost no less.
    for (int i = pace_.level; i < Pace::levels; i++) {
        Pace::Level& other = pace_.level_costs[i];
        if (i > pace_.level && (other.left > 0 || other.cost.frames >= 4)) continue;
        other.left = other.wait;
        other.wait = std::min(2 * other.wait, 256);
    }
}

}  // namespace vq
