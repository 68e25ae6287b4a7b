// Which kernels this build has and this CPU can run.
#include <cstring>

#include "kernels.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace vq {

extern const Kernels kernels_reference, kernels_portable;
#if defined(__x86_64__)
extern const Kernels kernels_avx512, kernels_avx2;
#elif defined(__aarch64__)
extern const Kernels kernels_neon;
#endif

namespace {

#if defined(__aarch64__)
bool has_dot_product() {
#if defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
    return true;  // every Apple CPU of this kind
#endif
}
#endif

// Best first; reference last.
int available(const Kernels* (&tables)[4]) {
    int count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
        tables[count++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2")) tables[count++] = &kernels_avx2;
#elif defined(__aarch64__)
    if (has_dot_product()) tables[count++] = &kernels_neon;
#endif
    tables[count++] = &kernels_portable;
    tables[count++] = &kernels_reference;
    return count;
}

}  // namespace

const Kernels* find_kernels(const char* name) {
    const Kernels* tables[4];
    const int count = available(tables);
    for (int i = 0; i < count; i++)
        if (std::strcmp(tables[i]->name, name) == 0) return tables[i];
    return nullptr;
}

const Kernels* best_kernels() {
    const Kernels* tables[4];
    available(tables);
    return tables[0];
}

}  // namespace vq
