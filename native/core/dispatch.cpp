// The list of instruction sets: which kernels this build has, and which of them this CPU can run.
#include "dispatch.h"

#include <stdexcept>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace vq {

// Of variants/, a file each; CMakeLists.txt says with which flags.
extern const Kernels kernels_avx512, kernels_avx2, kernels_neon, kernels_portable, kernels_reference;

namespace {

struct InstructionSet {
    const Kernels& kernels;
    bool (*supported)();  // by this CPU
};

// Best first.
const InstructionSet instruction_sets[] = {
#if defined(__x86_64__)
    {kernels_avx512,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vnni");
     }},
    {kernels_avx2, [] { return bool(__builtin_cpu_supports("avx2")); }},
#elif defined(__aarch64__) && defined(__linux__)
    {kernels_neon, [] { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }},
#elif defined(__aarch64__)
    {kernels_neon, [] { return true; }},  // every Apple CPU of this kind
#endif
    {kernels_portable, [] { return true; }},
    {kernels_reference, [] { return true; }},
};

}  // namespace

const std::vector<const Kernels*>& available_kernels() {
    static const std::vector<const Kernels*> available = [] {
        std::vector<const Kernels*> found;
        for (const InstructionSet& set : instruction_sets)
            if (set.supported()) found.push_back(&set.kernels);
        return found;
    }();
    return available;
}

const Kernels* find_kernels(const std::string& name) {
    for (const Kernels* kernels : available_kernels())
        if (kernels->name == name) return kernels;
    return nullptr;
}

const Kernels& kernels_named(const std::string& name) {
    const Kernels* kernels = name.empty() ? available_kernels().front() : find_kernels(name);
    if (!kernels) throw std::invalid_argument("this CPU cannot run the kernels '" + name + "'");
    return *kernels;
}

}  // namespace vq
