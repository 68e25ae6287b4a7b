// The list of instruction sets: which kernels this build has, and which of them this CPU can run.
#include "dispatch.h"

#include <stdexcept>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vq {

// Of variants/, a file each; CMakeLists.txt says with which flags.
extern const Kernels kernels_amx, kernels_avx512, kernels_avx_vnni, kernels_avx2, kernels_neon, kernels_portable, kernels_reference;

namespace {

struct InstructionSet {
    const Kernels& kernels;
    bool (*supported)();  // by this CPU
};

#if defined(__x86_64__)
bool has_vnni() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

// The registers of tiles are large, so Linux gives them to a process that asks (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
#if defined(__linux__)
    constexpr unsigned tile = 1u << 24, int8 = 1u << 25;
    constexpr int request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    unsigned a, b, c, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile) && (d & int8) &&
           syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}
#endif

// Best first.
const InstructionSet instruction_sets[] = {
#if defined(__x86_64__)
    {kernels_amx, [] { return has_vnni() && may_use_tiles(); }},
    {kernels_avx512, has_vnni},
    {kernels_avx_vnni, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avxvnni"); }},
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
