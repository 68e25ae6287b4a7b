// All kernels but those of quantized convolution.
#pragma once
#include "adaptive_pool.h"
#include "float_conv.h"
#include "map.h"
#include "move.h"
#include "pool.h"
#include "resize.h"
#include "softmax.h"
#include "sparse_list.h"
