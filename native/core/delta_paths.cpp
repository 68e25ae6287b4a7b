// How an operator of which some pixels changed is computed: all of it, by a list, or by the changes alone.
#include "../operators/convolution.h"
#include "delta_tracker.h"
#include "reference.h"

namespace vq {
namespace {

// More than this share of an operator's pixels: rows of all of them take no longer than lists.
constexpr double nearly_all = 0.9;
constexpr double winograd_gain = 1.8;  // measured on ResNet-18 at 512 × 1024

}  // namespace

Work DeltaTracker::run(size_t program, size_t i) {
    Bound& b = *executor_.programs()[program][i];
    Accumulators& sums = accumulators_[program][i];
    const Changed changed = select_pixels(b);
    begin_steps(b, changed);
    if (changed.rows.none()) return {0, Path::sparse, 0};
    Convolution* conv = b.convolution();
    if (changed.all) {
        if (conv) {
            sums.valid = false;
            keep_accumulators(*conv, false);
        }
        const Work work = run_all(b);
        if (b.reads_input()) narrow(b);
        return work;
    }
    const Work work = conv ? follow_convolution(*conv, sums, changed.rows) : follow_pixels(b, changed.rows);
    if (work.share > 0.85 && !sums.valid)
        for (const int32_t input : b.op.inputs) states_[size_t(input)].wasted_tracks++;
    return work;
}

Work DeltaTracker::run_all(Bound& b) {
    b.run(runner_, {nullptr, 0, b.op.pixels()});
    return {b.op.macs, Path::dense, 1};
}

// Computes the pixels that see a change. Nearly all are faster without a list.
Work DeltaTracker::follow_pixels(Bound& b, Rows rows) {
    const Op& op = b.op;
    const int64_t pixels = op.pixels();
    int64_t low, high, total;
    runner_.kernels.split(mask_.as<uint16_t>(), rows.first * op.w, rows.last * op.w, 1, low_.as<int32_t>(), low,
                          high_.as<int32_t>(), high, total);
    if (high > pixels * nearly_all) return run_all(b);
    b.run(runner_, {high_.as<int32_t>(), 0, high});
    return {op.macs * high / pixels, Path::sparse, double(high) / double(pixels)};
}

void DeltaTracker::keep_accumulators(Convolution& conv, bool on) {
    const State& in = states_[size_t(conv.op.inputs[0])];
    conv.keep_accumulators(on, in.delta.as<int8_t>(), in.mask.as<uint16_t>());
}

// A convolution has three ways: all pixels or those of a list in full, or the changed groups alone on top of the
// accumulators of the last frame. Costs are counted in groups of 4 channels met by one block of output channels.
Work DeltaTracker::follow_convolution(Convolution& b, Accumulators& sums, Rows rows) {
    const Op& op = b.op;
    const int64_t pixels = op.pixels(), full = b.groups_read();
    if (sums.wait > 0) sums.wait--;
    // Below a few groups a pixel in full costs no more than its accumulators.
    const bool worth = full >= 6;
    int32_t *low_list = low_.as<int32_t>(), *high_list = high_.as<int32_t>();
    int64_t low = 0, high = 0, total = 0;
    const uint16_t limit =
        worth ? uint16_t(std::min<int64_t>(0x8000, std::max<int64_t>(1, full * 40 / 100))) : uint16_t(1);
    runner_.kernels.split(mask_.as<uint16_t>(), rows.first * op.w, rows.last * op.w, limit, low_list, low, high_list, high,
                          total);
    // Fitted to measurements: a changed group costs about two of a full pixel, because neighbours share lists; taps
    // are looked up one by one; accumulators are read and written.
    const double pixel = double(full) + 6, store = 10, own = 12 + 0.05 * double(full) + 1.5 * double(b.taps());
    // What a pixel of a list costs, of one among all: Winograd's algorithm takes all pixels or none.
    const double direct = b.has_winograd() ? winograd_gain : 1;
    const bool all = double(low + high) > double(pixels) * nearly_all / direct;
    const double listed = pixel * (all ? double(pixels) / direct : double(low + high));
    const double residual = 2.2 * double(total) + own * double(low) + (pixel + store) * double(high);
    const bool gains = residual < 0.9 * listed;
    if (sums.valid && gains) {
        keep_accumulators(b, true);
        b.run_direct(runner_, {high_list, 0, high});
        b.run_changes(runner_, {low_list, 0, low});
        const int64_t macs =
            op.macs / pixels * high + int64_t(double(op.macs) / double(pixels * full) * double(total));
        return {macs, Path::residual, 1.5 * double(macs) / double(op.macs) + 0.1};
    }
    if (low + high == 0) return {0, Path::sparse, 0};
    // Filling the accumulators costs a whole frame of this layer: only where it soon pays.
    const double whole = (pixel / direct + store) * double(pixels);
    if (!sums.valid && worth && gains && !sums.wait && whole - listed < 4 * (listed - residual)) {
        sums.valid = true;
        sums.wait = sums.backoff;
        sums.backoff = std::min(2 * sums.backoff, 64);
        keep_accumulators(b, true);
        return run_all(b);
    }
    sums.valid = false;
    keep_accumulators(b, false);
    if (all) return run_all(b);
    // One list again, in order.
    std::merge(low_list, low_list + low, high_list, high_list + high, merged_.as<int32_t>());
    b.run(runner_, {merged_.as<int32_t>(), 0, low + high});
    return {op.macs / pixels * (low + high), Path::sparse, double(low + high) / double(pixels)};
}

// One value at a time: what the kernels are compared with.
namespace reference {

void split(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low, int64_t& low_count,
                  int32_t* high, int64_t& high_count, int64_t& total) {
    low_count = high_count = total = 0;
    for (int32_t p = begin; p < end; p++) {
        if (map[p] == 0) continue;
        if (map[p] >= limit) high[high_count++] = p;
        else low[low_count++] = p, total += map[p];
    }
}

}  // namespace reference

}  // namespace vq
