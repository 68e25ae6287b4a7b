#include "ceiling.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include "threads.h"

namespace vq {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// What the calling thread computes in about `seconds`: multiply–accumulates.
double macs_in(const Kernels& kernels, double seconds) {
    const Clock::time_point start = Clock::now();
    double macs = 0;
    while (since(start) < seconds) macs += double(kernels.peak(2000));  // some ten microseconds: the clock costs little
    return macs;
}

}  // namespace

double ceiling(const Kernels& kernels, int threads, double seconds) {
    constexpr int repeats = 50;  // short ones: some pass undisturbed on a machine that others use too
    Threads pool(threads, kernels.thread);
    const HoldsState held(kernels.thread);
    std::vector<double> macs(static_cast<size_t>(pool.count()));
    double best = 0;
    for (int repeat = 0; repeat < repeats; repeat++) {
        const Clock::time_point start = Clock::now();
        pool.run(pool.count(), [&](int64_t i) { macs[size_t(i)] = macs_in(kernels, seconds / repeats); });
        best = std::max(best, std::accumulate(macs.begin(), macs.end(), 0.0) / since(start));
    }
    return best;
}

}  // namespace vq
