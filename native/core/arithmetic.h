// Results do not depend on how a thread that calls the engine rounds, or whether it flushes denormal numbers to zero
// (torch.set_flush_denormal): the engine computes as IEEE 754 has it, on every thread.
#pragma once
#include <cfenv>

namespace vq {

// While this lives, its thread rounds to nearest and keeps denormal numbers.
class PlainArithmetic {
public:
    PlainArithmetic() {
        std::fegetenv(&callers_);
        std::fesetenv(FE_DFL_ENV);
    }
    ~PlainArithmetic() { std::fesetenv(&callers_); }
    PlainArithmetic(const PlainArithmetic&) = delete;
    PlainArithmetic& operator=(const PlainArithmetic&) = delete;

private:
    std::fenv_t callers_;
};

}  // namespace vq
