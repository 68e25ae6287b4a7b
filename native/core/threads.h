// A pool with a chosen number of threads. Tasks are numbered and share nothing, so that results do not depend on it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace vq {

class Threads {
public:
    explicit Threads(int count) {
        for (int i = 1; i < count; i++) workers_.emplace_back([this] { work(); });
    }
    ~Threads() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
            state_.store(pack(++round_, 0, 0), std::memory_order_seq_cst);
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    int count() const { return int(workers_.size()) + 1; }

    // Calls task(0) … task(count − 1), in any order and on any thread, and returns when all are done. It waits for
    // tasks, not for threads: a worker that the system does not let run holds nothing up.
    template <class Task>
    void run(int64_t count, const Task& task) {
        if (workers_.empty() || count <= 1 || count >= int64_t(most_tasks)) {
            for (int64_t i = 0; i < count; i++) task(i);
            return;
        }
        context_ = &task;
        call_ = [](const void* context, int64_t i) { (*static_cast<const Task*>(context))(i); };
        done_.store(0, std::memory_order_relaxed);
        round_++;
        state_.store(pack(round_, uint64_t(count), 0), std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst)) {
            std::lock_guard<std::mutex> lock(mutex_);
            wake_.notify_all();
        }
        take(round_ & round_mask);
        while (done_.load(std::memory_order_acquire) != count) pause();
    }

private:
    // Round, number of tasks and next task in one word: a worker that comes late cannot take a task of another round.
    static constexpr uint64_t round_mask = 0xFFFF, most_tasks = 1 << 24;
    static uint64_t pack(uint64_t round, uint64_t count, uint64_t next) {
        return (round & round_mask) << 48 | count << 24 | next;
    }
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        std::this_thread::yield();
#endif
    }
    void take(uint64_t round) {
        uint64_t state = state_.load(std::memory_order_acquire);
        for (;;) {
            const uint64_t count = state >> 24 & (most_tasks - 1), next = state & (most_tasks - 1);
            if (state >> 48 != round || next >= count) return;
            if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
            call_(context_, int64_t(next));
            done_.fetch_add(1, std::memory_order_release);
            state = state_.load(std::memory_order_acquire);
        }
    }
    void work() {
        uint64_t seen = 0;
        const auto fresh = [&] { return state_.load(std::memory_order_acquire) >> 48 != seen; };
        for (;;) {
            // Between the operators of a frame a worker spins; between frames it soon sleeps.
            for (int spin = 0; spin < 4000 && !fresh(); spin++) pause();
            if (!fresh()) {
                std::unique_lock<std::mutex> lock(mutex_);
                sleeping_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, fresh);
                sleeping_.fetch_sub(1, std::memory_order_relaxed);
            }
            seen = state_.load(std::memory_order_acquire) >> 48;
            if (stop_) return;
            take(seen);
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    uint64_t round_ = 0;
    std::atomic<uint64_t> state_{0};
    std::atomic<int> sleeping_{0};
    bool stop_ = false;
    const void* context_ = nullptr;
    void (*call_)(const void*, int64_t) = nullptr;
    std::atomic<int64_t> done_{0};
};

}  // namespace vq
