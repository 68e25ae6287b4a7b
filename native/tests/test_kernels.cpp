// Every kernel of every instruction set against the scalar reference, on random cases, to the last byte.
//
//     test_kernels [cases of each kernel] [first seed] [instruction set]
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "../core/threads.h"
#include "change_cases.h"
#include "convolution_cases.h"
#include "gate_cases.h"
#include "operator_cases.h"
#include "simulation_cases.h"

using namespace vq;
using namespace vq::test;

namespace {

struct Named {
    const char* name;
    Call (*make)(World&, Random&);
};
const Named kernels[] = {
    {"conv", conv_case},
    {"winograd", winograd_case},
    {"conv_residual", conv_residual_case},
    {"depthwise", depthwise_case},
    {"float_conv", float_conv_case},
    {"map", map_case},
    {"dequantize", dequantize_case},
    {"pool", pool_case},
    {"adaptive_pool", adaptive_pool_case},
    {"resize", resize_case},
    {"move", move_case},
    {"softmax", softmax_case},
    {"layer_norm", layer_norm_case},
    {"copy_sparse", copy_sparse_case},
    {"quantize_input", quantize_input_case},
    {"finite", finite_case},
    {"window_map", window_map_case},
    {"split", split_case},
    {"lane_sums", lane_sums_case},
    {"key_ends", key_ends_case},
    {"key_bins", key_bins_case},
    {"order", order_case},
    {"quantize_steps", quantize_steps_case},
    {"scale_sums", scale_sums_case},
    {"cell_sums", cell_sums_case},
    {"cell_changes", cell_changes_case},
};

// Whether both give the same; prints how to see it again where not.
bool agree(const Kernels& tested, const Named& kernel, uint64_t seed) {
    World world, expected;
    Random random(seed), again(seed);
    kernel.make(world, random)(tested);
    kernel.make(expected, again)(*find_kernels("reference"));
    const std::string what = difference(world, expected);
    if (what.empty()) return true;
    std::printf("%s of %s differs from the reference, seed %llu:%s\n    %s\n", kernel.name, tested.name,
                (unsigned long long)seed, world.shape.c_str(), what.c_str());
    return false;
}

// Whether every field is filled that must be: those from `conv` to before `winograd`, a pointer each.
bool complete(const Kernels& k) {
    constexpr size_t from = offsetof(Kernels, conv), count = (offsetof(Kernels, winograd) - from) / sizeof(void*);
    uintptr_t kernels[count];
    std::memcpy(kernels, reinterpret_cast<const char*>(&k) + from, sizeof kernels);
    return std::find(kernels, kernels + count, uintptr_t(0)) == kernels + count;
}

}  // namespace

int main(int argc, char** argv) {
    const long cases = argc > 1 ? std::atol(argv[1]) : 200;
    const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    int failures = 0;
    for (const Kernels* tested : available_kernels()) {
        const std::string isa = tested->name;
        if (argc > 3 && argv[3] != isa) continue;
        if (!complete(*tested)) {
            std::printf("%s lacks a kernel that every instruction set has: see kernels/table.h\n", isa.c_str());
            failures++;
            continue;
        }
        if (isa == "reference") continue;
        const HoldsState held(tested->thread);
        for (const Named& kernel : kernels) {
            int wrong = 0;
            for (uint64_t seed = first; seed < first + uint64_t(cases) && wrong < 3; seed++)
                wrong += !agree(*tested, kernel, seed);
            std::printf("%-8s %-14s %s\n", isa.c_str(), kernel.name, wrong ? "FAILED" : "ok");
            failures += wrong;
        }
    }
    return failures ? 1 : 0;
}
