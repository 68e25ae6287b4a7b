// What a file of variants/ says before it includes kernels; every header of kernels/ and simd/ begins here, so that
// each compiles alone.
//
//     VQ_ISA       the instruction set's name, and its namespace
//     VQ_VECTORS   the file of its vectors: simd/
//     VQ_CODES     the file of its way from float32 values to codes: kernels/codes_*.h
//     VQ_PRODUCTS  the file of its products of convolution: kernels/gemm_*.h
#pragma once
#if !defined(VQ_ISA) || !defined(VQ_VECTORS) || !defined(VQ_CODES) || !defined(VQ_PRODUCTS)
#error "kernels are compiled by the files of variants/, which define VQ_ISA, VQ_VECTORS, VQ_CODES and VQ_PRODUCTS"
#endif
#include "../core/kernels.h"
