// The scalar references as a table: the whole engine can run on them.
#define VQ_ISA reference
#include "../core/reference.h"
#include "../kernels/table.h"

namespace vq {
extern const Kernels kernels_reference;
constexpr Kernels kernels_reference = reference::common_kernels("reference");
}  // namespace vq
