// The kernels for AVX-512 with VNNI.
#define VQ_ISA avx512
#include "../core/kernels.h"
#include "../simd/avx512.h"
#include "../kernels/program.h"
#include "../kernels/codes.h"
#include "../kernels/codes_avx512.h"
#include "../kernels/codes_tile.h"
#include "../kernels/gemm_avx512.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/depthwise.h"
#include "../kernels/depthwise_avx512.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/changes_avx512.h"
#include "../kernels/features.h"
#include "../kernels/features_avx512.h"

namespace vq {
extern const Kernels kernels_avx512;
const Kernels kernels_avx512 = {"avx512", false, avx512::conv, nullptr, avx512::conv_residual, avx512::depthwise_vnni,
                                VQ_OTHER_KERNELS(avx512), avx512::quantize_input_vector, avx512::finite,
                                avx512::window_map, avx512::split_vector, avx512::lane_sums,
                                avx512::between_vector, avx512::order, avx512::peak};
}  // namespace vq
