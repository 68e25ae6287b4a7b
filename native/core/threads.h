// A pool of threads. Tasks are numbered and share nothing, so that results do not depend on how many there are.
#pragma once
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "arithmetic.h"

namespace vq {

// How many forks lie between the first process that asked and this one.
inline unsigned forks() {
    static std::atomic<unsigned> count{0};
    static const int registered = pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1); });
    (void)registered;
    return count.load(std::memory_order_relaxed);
}

// What an instruction set wants of every thread that runs its kernels: `begin` before the first of them, `end` after the
// last.
struct ThreadState {
    void (*begin)();
    void (*end)();
};

// While this lives, its thread holds such a state. Null: none is wanted.
class HoldsState {
public:
    explicit HoldsState(const ThreadState* state) : state_(state) {
        if (state_) state_->begin();
    }
    ~HoldsState() {
        if (state_) state_->end();
    }
    HoldsState(const HoldsState&) = delete;
    HoldsState& operator=(const HoldsState&) = delete;

private:
    const ThreadState* state_;
};

// The calling thread and its workers: as many as wanted, or as the system gives.
class Crew {
public:
    // state: that workers hold; the calling thread sees to its own.
    Crew(int wanted, const ThreadState* state) : state_of_threads_(state) {
        try {
            workers_.reserve(size_t(std::max(0, wanted - 1)));
            for (int i = 1; i < wanted; i++) workers_.emplace_back([this] { work(); });
        } catch (const std::exception&) {
            // No more threads, or no memory for them: the work is done with those there are.
        }
    }
    ~Crew() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
            state_.store(pack(++round_, 0, 0), std::memory_order_seq_cst);
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    int count() const { return int(workers_.size()) + 1; }

    // See Threads::run.
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
        if (failed_.exchange(false)) std::rethrow_exception(std::exchange(failure_, nullptr));
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
            try {
                call_(context_, int64_t(next));
            } catch (...) {  // such as std::bad_alloc: the first is thrown where all tasks are done
                if (!failed_.exchange(true)) failure_ = std::current_exception();
            }
            done_.fetch_add(1, std::memory_order_release);
            state = state_.load(std::memory_order_acquire);
        }
    }
    void work() {
        const PlainArithmetic plain;
        const HoldsState held(state_of_threads_);
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

    const ThreadState* state_of_threads_;
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
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;
};

// A crew that outlives a fork: a child process inherits the pool, but not its threads, and gets its own when it needs
// them.
class Threads {
public:
    explicit Threads(int wanted, const ThreadState* state = nullptr)
        : state_(state), crew_(std::make_unique<Crew>(wanted, state)), count_(crew_->count()), forks_(forks()) {}
    ~Threads() { forget_other_process(); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    int count() const { return count_; }  // at most: a child process may get fewer

    // Calls task(0) … task(count − 1), in any order and on any thread, and returns when all are done. It waits for
    // tasks, not for threads: a worker that the system does not let run holds nothing up. Throws what a task throws.
    template <class Task>
    void run(int64_t count, const Task& task) {
        forget_other_process();
        if (!crew_) crew_ = std::make_unique<Crew>(count_, state_);
        crew_->run(count, task);
    }

private:
    // The crew of the process before a fork is left as it lies: here no thread would answer, and its locks may be held
    // for ever.
    void forget_other_process() {
        if (forks_ == forks()) return;
        forks_ = forks();
        (void)crew_.release();
    }

    const ThreadState* state_;
    std::unique_ptr<Crew> crew_;
    int count_;
    unsigned forks_;
};

}  // namespace vq
