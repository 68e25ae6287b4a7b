// The scalar references as a table: the whole engine can run on them.
#define VQ_ISA reference
#include "../core/kernels.h"
#include "../reference/program.h"
#include "../reference/conv.h"
#include "../reference/others.h"
#include "../reference/changes.h"
#include "../reference/features.h"
#include "../reference/sparse.h"
#include "../kernels/table.h"

namespace vq {
extern const Kernels kernels_reference;
constexpr Kernels kernels_reference = reference::common_kernels("reference");
}  // namespace vq
