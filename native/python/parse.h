#pragma once
#include <nanobind/nanobind.h>

#include "../core/plan.h"

namespace nb = nanobind;

namespace vq {

// Raises std::invalid_argument (ValueError) with one line for whatever is wrong.
Plan parse_plan(nb::handle spec);

}  // namespace vq
