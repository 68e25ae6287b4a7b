// What the module's functions hold while they compute.
#pragma once
#include <chrono>
#include <thread>

#include <nanobind/nanobind.h>

namespace vq {

// While this lives, other Python threads run. A daemon thread that comes back after the interpreter's end is unwound by
// CPython up to 3.13, which would end the process in an abort; here it sleeps until the process is gone, as in 3.14.
class WithoutGil {
public:
    WithoutGil() : state_(PyEval_SaveThread()) {}
    ~WithoutGil() { restore(); }
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

    // While this lives, its thread runs Python again.
    class Back {
    public:
        explicit Back(WithoutGil& outer) : outer_(outer) { outer_.restore(); }
        ~Back() { outer_.state_ = PyEval_SaveThread(); }
        Back(const Back&) = delete;
        Back& operator=(const Back&) = delete;

    private:
        WithoutGil& outer_;
    };

private:
    void restore() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        }
    }

    PyThreadState* state_;
};

}  // namespace vq
