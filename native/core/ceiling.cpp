#include "ceiling.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace vq {

namespace {

using Clock = std::chrono::steady_clock;

// The rate of the calling thread, over about `seconds`.
double rate(const Kernels& kernels, double seconds) {
    const Clock::time_point start = Clock::now();
    double macs = 0, passed = 0;
    while (passed < seconds) {
        macs += double(kernels.peak(2000));  // some ten microseconds: reading the clock does not count
        passed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return macs / passed;
}

}  // namespace

double ceiling(const Kernels& kernels, int threads, double seconds) {
    constexpr int repeats = 50;  // short ones: some pass undisturbed on a machine that others use too
    double best = 0;
    for (int repeat = 0; repeat < repeats; repeat++) {
        std::vector<double> rates(static_cast<size_t>(threads));
        std::vector<std::thread> others;
        for (size_t i = 1; i < rates.size(); i++)
            others.emplace_back([&, i] { rates[i] = rate(kernels, seconds / repeats); });
        rates[0] = rate(kernels, seconds / repeats);
        for (std::thread& other : others) other.join();
        double sum = 0;
        for (const double r : rates) sum += r;
        best = std::max(best, sum);
    }
    return best;
}

}  // namespace vq
