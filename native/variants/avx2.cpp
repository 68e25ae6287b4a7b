// The kernels for AVX2.
#define VQ_ISA avx2
#include "../core/kernels.h"
#include "../simd/avx2.h"
#include "../simd/track.h"
#include "../simd/outside.h"
#include "../kernels/program.h"
#include "../kernels/codes.h"
#include "../kernels/codes_avx2.h"
#include "../kernels/codes_tile.h"
#include "../kernels/gemm_avx2.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/winograd_avx2.h"
#include "../kernels/depthwise.h"
#include "../kernels/depthwise_avx2.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/changes_avx2.h"
#include "../kernels/features.h"
#include "../kernels/features_avx2.h"

namespace vq {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = {"avx2", true, avx2::conv, avx2::winograd, avx2::conv_residual, avx2::depthwise_pairs,
                                  VQ_OTHER_KERNELS(avx2), avx2::quantize_input_vector, avx2::finite, avx2::window_map,
                                  avx2::split, avx2::lane_sums, avx2::between_vector, avx2::order,
                                  avx2::peak};
}  // namespace vq
