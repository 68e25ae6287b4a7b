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

// Cuts pixels into tasks for the threads.
template <class Call>
void Session::spread(Pixels pixels, int64_t least, const Call& call) {
    const int64_t count = pixels.end - pixels.begin;
    if (count <= 0) return;
    const int64_t tasks = threads_->count() == 1 ? 1 : threads_->count() * 8;
    const int64_t size = std::max(round_up((count + tasks - 1) / tasks, grain), round_up(least, grain));
    threads_->run((count + size - 1) / size, [&](int64_t i) {
        Pixels part = pixels;
        part.begin = pixels.begin + i * size;
        part.end = std::min(part.begin + size, pixels.end);
        call(part);
    });
}

}  // namespace vq
