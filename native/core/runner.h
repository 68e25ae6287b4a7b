// What operators run on: the kernels of an instruction set, threads, and memory for their tasks.
#pragma once
#include <algorithm>
#include <memory>

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

namespace vq {

class Runner {
public:
    Runner(const Kernels& kernels, std::shared_ptr<Threads> threads) : kernels(kernels), threads(std::move(threads)) {}

    // Cuts pixels into equal tasks, as many for each thread: up to 8, where they then have `least` pixels.
    template <class Call>
    void parallel_for(Pixels pixels, int64_t least, const Call& call) {
        const int64_t count = pixels.end - pixels.begin, threads = this->threads->count();
        if (count <= 0) return;
        const int64_t each = std::clamp<int64_t>(count / (least * threads), 1, 8);
        const int64_t tasks = threads == 1 || count <= grain ? 1 : each * threads;
        const auto cut = [&](int64_t i) { return i == tasks ? count : count * i / tasks / grain * grain; };
        this->threads->run(tasks, [&](int64_t i) {
            Pixels part = pixels;
            part.begin = pixels.begin + cut(i);
            part.end = pixels.begin + cut(i + 1);
            call(part);
        });
    }
    // At least so much scratch for every thread, until the next call.
    void reserve(size_t bytes) { scratch.reserve(threads->count(), bytes); }
    size_t bytes() const { return scratch.bytes() + rows.bytes(); }

    const Kernels& kernels;
    std::shared_ptr<Threads> threads;
    Scratch scratch;
    Memory rows;             // for masks: `row_width` numbers for every thread
    int64_t row_width = 0;

private:
    static constexpr int64_t grain = 24;  // pixels: whole tiles of 6, 8 and 12
};

}  // namespace vq
