// The scalar references as a table: the whole engine can run on them.
#include "../core/kernels.h"
#include "../reference/program.h"
#include "../reference/conv.h"
#include "../reference/others.h"
#include "../reference/changes.h"
#include "../reference/features.h"
#include "../reference/sparse.h"

namespace vq {
extern const Kernels kernels_reference;
const Kernels kernels_reference = {
    "reference", false, reference::conv, nullptr, reference::conv, reference::depthwise, reference::float_conv,
    reference::map,
    reference::dequantize, reference::pool, reference::adaptive_pool, reference::resize, reference::move,
    reference::softmax, reference::copy_sparse, reference::quantize_input, reference::finite, reference::window_map,
    reference::split, reference::lane_sums, reference::between, reference::order, nullptr};
}  // namespace vq
