#include "delta_policy.h"

#include <algorithm>

namespace vq {

// Whether following changes pays in this frame.
bool DeltaPolicy::is_profitable() {
    if (always_) return true;
    Level& level = levels_[level_];
    if (level.left == 0) return true;
    if (--level.left == 0) level.cost = Cost();
    return false;
}

// Single frames unlike those around them are no reason to leave one memory for the other.
DeltaPolicy::Path DeltaPolicy::select_path(double share) {
    static const double ends[levels - 1] = {0, 0.02, 0.1, 0.25, 0.5};
    const int before = level_;
    level_ = 0;
    while (level_ < levels - 1 && share > ends[level_]) level_++;
    const bool pays = is_profitable(), was_full = full_;
    if (!always_) {
        // What a full frame takes must be known, and known anew now and then where little is gained.
        const bool close = levels_[level_].cost.usual > 0.6 * full_cost_.usual;
        if (since_ >= enough_ && close) {
            full_ = true, others_ = -1;
            enough_ = std::min(2 * enough_, 64);
        }
        if (full_cost_.frames < 2) others_ = -1;
    }
    others_ = pays == full_ ? others_ + 1 : 0;
    if (others_ >= (full_ ? 2 : 4)) full_ = !full_, others_ = 0;
    fresh_ |= was_full || !pays;
    return {full_, fresh_, level_ < before};
}

void DeltaPolicy::add_cost(double cost) {
    if (full_) {
        // The first frame of all touches its memory for the first time: its time is no measure.
        // Full frames all cost the same, so the fastest of late is believed.
        if (full_frames_++ > 0) full_cost_.add(cost, 1);
        since_ = 0;
    }
    if (full_ || fresh_) {
        fresh_ = false;
        return;
    }
    since_++;
    Level& level = levels_[level_];
    level.cost.add(cost, 0.5);
    const double excess = level.cost.usual / full_cost_.usual;
    if (level.cost.frames > 16 && excess < 0.97) level.wait = shortest_wait;
    if (excess < 1 || level.cost.frames < (excess > 1.15 ? 2 : 4)) return;
    // Frames that change more cost no less.
    for (int i = level_; i < levels; i++) {
        Level& other = levels_[i];
        if (i > level_ && (other.left > 0 || other.cost.frames >= 4)) continue;
        other.left = other.wait;
        other.wait = std::min(2 * other.wait, 256);
    }
}

}  // namespace vq
