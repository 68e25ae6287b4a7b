// Every thread that works holds the state that an instruction set wants, once.
#include "../core/threads.h"

#include <map>

#include "checks.h"

using namespace vq;

namespace {

std::mutex mutex;
std::map<std::thread::id, int> begun, ended;
std::atomic<int> without{0};
thread_local bool holds = false;

const ThreadState state = {
    [] {
        const std::lock_guard<std::mutex> lock(mutex);
        begun[std::this_thread::get_id()]++;
        holds = true;
    },
    [] {
        const std::lock_guard<std::mutex> lock(mutex);
        ended[std::this_thread::get_id()]++;
        holds = false;
    },
};

void work(Threads& threads) {
    const HoldsState held(threads.count() > 0 ? &state : nullptr);
    for (int round = 0; round < 200; round++)
        threads.run(16, [](int64_t) {
            if (!holds) without++;
        });
}

}  // namespace

int main() {
    for (const int wanted : {1, 2, 4}) {
        begun.clear(), ended.clear();
        {
            Threads threads(wanted, &state);
            work(threads);
        }
        CHECK(without == 0);
        CHECK(int(begun.size()) == wanted && begun == ended);
        for (const auto& [thread, times] : begun) CHECK(times == 1);
    }
    begun.clear();
    Threads none(3);
    none.run(16, [](int64_t) {});
    CHECK(begun.empty());
}
