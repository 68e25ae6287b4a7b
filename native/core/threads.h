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
            round_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    int count() const { return int(workers_.size()) + 1; }

    // Calls task(0) … task(count − 1), in any order and on any thread, and returns when all are done.
    template <class Task>
    void run(int64_t count, const Task& task) {
        if (workers_.empty() || count <= 1) {
            for (int64_t i = 0; i < count; i++) task(i);
            return;
        }
        context_ = &task;
        call_ = [](const void* context, int64_t i) { (*static_cast<const Task*>(context))(i); };
        count_ = count;
        next_.store(0, std::memory_order_relaxed);
        busy_.store(int(workers_.size()), std::memory_order_relaxed);
        round_.fetch_add(1, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst)) {
            std::lock_guard<std::mutex> lock(mutex_);
            wake_.notify_all();
        }
        take();
        while (busy_.load(std::memory_order_acquire)) pause();
    }

private:
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        std::this_thread::yield();
#endif
    }
    void take() {
        for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) call_(context_, i);
    }
    void work() {
        uint32_t seen = 0;
        for (;;) {
            // Between the operators of a frame a worker spins; between frames it soon sleeps.
            for (int spin = 0; spin < 4000 && round_.load(std::memory_order_acquire) == seen; spin++) pause();
            if (round_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                sleeping_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, [&] { return round_.load(std::memory_order_seq_cst) != seen; });
                sleeping_.fetch_sub(1, std::memory_order_relaxed);
            }
            seen = round_.load(std::memory_order_acquire);
            if (stop_) return;
            take();
            busy_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<uint32_t> round_{0};
    std::atomic<int> sleeping_{0};
    bool stop_ = false;
    const void* context_ = nullptr;
    void (*call_)(const void*, int64_t) = nullptr;
    int64_t count_ = 0;
    std::atomic<int64_t> next_{0};
    std::atomic<int> busy_{0};
};

}  // namespace vq
