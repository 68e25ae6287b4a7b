// Whether following changes pays.
#include "session_parts.h"

#include <cstring>

namespace vq {

// Whether much less of the input changed than in the frame before, by a sample of its pixels.
bool Session::calmer() {
    const Slot& slot = plan_->slots[0];
    const int64_t every = std::max<int64_t>(1, slot.pixels() / 4096) | 1;
    const size_t count = size_t((slot.pixels() + every - 1) / every * slot.c);
    const bool first = sample_.empty();
    sample_.resize(count);
    int64_t changed = 0, seen = 0;
    for (int64_t p = 0; p < slot.pixels(); p += every, seen++) {
        float* old = sample_.data() + seen * slot.c;
        const float* now = input_ + p * slot.c;
        const size_t bytes = size_t(slot.c) * 4;
        changed += std::memcmp(old, now, bytes) != 0;
        std::memcpy(old, now, bytes);
    }
    // Smoothed: cameras repeat frames.
    unrest_ = first ? 1 : 0.7 * unrest_ + 0.3 * double(changed) / double(seen);
    if (unrest_ >= 0.6 * unrest_before_) return false;
    unrest_before_ = unrest_;
    return true;
}

// An operator's part in the estimated cost of this frame: dot products, then a quarter of a cycle for each output
// value. share: of its pixels or of its products. Lists are slower than whole rows, followed codes are compared, and
// finding out what changed has its own cost: measured on PoseNet and ResNet-18.
void Session::count_cost(const Bound& b, double share, bool followed) {
    const Op& op = *b.op;
    const double outputs = double(op.h) * op.w * op.c;
    const double dense = double(op.macs) / (op.kind == Kind::depthwise ? 32 : 128) + outputs / 4;
    pace_.dense_cost += dense;
    pace_.cost += followed ? dense * (1.35 * share + 0.06) : dense;
}

// After a frame: whether the next ones follow changes or are computed in full.
void Session::set_pace() {
    if (pace_.full) {
        // The first frame of all touches its memory for the first time: its time is no measure. Full frames all cost
        // the same, so that what is more is the machine's doing: fast ones are believed, slow ones hardly.
        if (pace_.dense == 0) pace_.dense = 1e-9;
        else if (pace_.dense < 1e-8) pace_.dense = pace_.seconds;
        else pace_.dense += (pace_.seconds < pace_.dense ? 0.7 : 0.05) * (pace_.seconds - pace_.dense);
        pace_.left--;
        pace_.since = 0;
        return;
    }
    const bool filled = fresh_;
    fresh_ = false;
    if (filled || ++pace_.since <= 2 || pace_.always) return;  // buffers and accumulators are being filled
    const double ratio = bounded_ ? pace_.cost / pace_.dense_cost : pace_.seconds / pace_.dense;
    // A mean at first, then smoothed: frames of much and of little change alternate.
    const double weight = 1.0 / std::min(pace_.since - 2, 8);
    pace_.ratio = (1 - weight) * pace_.ratio + weight * ratio;
    if (pace_.since < 9) return;
    if (pace_.ratio > 1.02) {
        pace_.left = pace_.wait;
        pace_.wait = std::min(2 * pace_.wait, 128);
        unrest_before_ = unrest_;
    } else if (pace_.ratio < 0.97 && pace_.since > 16) pace_.wait = 16;
    // Where not much is gained, see from time to time what full frames cost by now.
    if (!bounded_ && pace_.left == 0 && pace_.ratio > 0.6 && pace_.since % 32 == 0) pace_.left = 2;
}

}  // namespace vq
