#include "simulation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "reference.h"
#include "threads.h"

namespace vq {
namespace {

constexpr int64_t task_size = 1 << 15;  // numbers: some microseconds, and two of them fit into a small L2

// One crew for the process, of as many threads as were last asked for. Who finds it at work does without. It is never
// taken down: a daemon thread may be at work when the process ends.
template <class Task>
void in_parallel(const Kernels& kernels, int64_t tasks, int threads, const Task& task) {
    static std::mutex mutex;
    static auto& crew = *new std::unique_ptr<Threads>;
    static int wanted = 0;
    const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
    const HoldsState held(kernels.thread);
    if (tasks <= 1 || threads <= 1 || !lock) {
        for (int64_t i = 0; i < tasks; i++) task(i);
        return;
    }
    if (wanted != threads) crew = std::make_unique<Threads>(threads, kernels.thread), wanted = threads;
    crew->run(tasks, task);
}

}  // namespace

bool quantize_steps(const Kernels& kernels, const Steps& steps, int64_t count, int threads) {
    std::atomic<bool> finite{true};
    in_parallel(kernels, (count + task_size - 1) / task_size, threads, [&](int64_t task) {
        const int64_t begin = task * task_size;
        if (!kernels.quantize_steps(steps, begin, std::min(begin + task_size, count))) finite = false;
    });
    return finite;
}

void scale_sums(const Kernels& kernels, const LayerSums& sums, int64_t rows, int threads) {
    const int64_t each = std::max<int64_t>(1, task_size / std::max<int64_t>(1, sums.columns));
    in_parallel(kernels, (rows + each - 1) / each, threads, [&](int64_t task) {
        kernels.scale_sums(sums, task * each, std::min((task + 1) * each, rows));
    });
}

// One value at a time: what the kernels are compared with.
namespace reference {

bool quantize_steps(const Steps& s, int64_t begin, int64_t end) {
    bool finite = true;
    for (int64_t i = begin; i < end; i++) {
        finite &= std::isfinite(s.value[i]);
        const float x = s.reference ? s.value[i] - s.reference[i] : s.value[i];
        float steps = std::nearbyint(x * s.inverse);
        if (steps < s.first) steps = s.first;
        if (steps > s.last) steps = s.last;
        s.steps[i] = steps;
        if (s.next) s.next[i] = s.reference ? steps * s.scale + s.reference[i] : steps * s.scale;
    }
    return finite;
}

void scale_sums(const LayerSums& l, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++)
        for (int64_t i = 0; i < l.columns; i++) {
            const int64_t c = l.by_row ? r % l.channels : i;
            float& y = l.sums[r * l.columns + i];
            y *= l.scale[c];
            if (l.bias) y += l.bias[c];
            if (l.before) y += l.before[r * l.columns + i];
        }
}

}  // namespace reference

}  // namespace vq
