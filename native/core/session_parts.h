// What the files of a session share.
#pragma once
#include <algorithm>

#include "session.h"

namespace vq {

constexpr int64_t grain = 24;  // pixels: whole tiles of 6, 8 and 12

inline int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// Weights are read once a task: the more of them, the larger the tasks.
inline int64_t least_pixels(const Op& op) {
    size_t bytes = 0;
    for (const Part& part : op.parts)
        for (const Memory& weights : part.weights) bytes += weights.bytes();
    return bytes < (size_t(64) << 10) ? 48 : bytes < (size_t(512) << 10) ? 120 : 264;
}

// Cuts pixels into equal tasks, as many for each thread: up to 8, where they then have `least` pixels.
template <class Call>
void Session::spread(Pixels pixels, int64_t least, const Call& call) {
    const int64_t count = pixels.end - pixels.begin, threads = threads_->count();
    if (count <= 0) return;
    const int64_t each = std::clamp<int64_t>(count / (least * threads), 1, 8);
    const int64_t tasks = threads == 1 || count <= grain ? 1 : each * threads;
    const auto cut = [&](int64_t i) { return i == tasks ? count : count * i / tasks / grain * grain; };
    threads_->run(tasks, [&](int64_t i) {
        Pixels part = pixels;
        part.begin = pixels.begin + cut(i);
        part.end = pixels.begin + cut(i + 1);
        call(part);
    });
}

}  // namespace vq
