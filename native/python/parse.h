#pragma once
#include <nanobind/nanobind.h>

#include "../core/plan.h"

namespace nb = nanobind;

namespace vq {

// Raises std::invalid_argument (ValueError) with one line for whatever is wrong.
// allow: sees the bytes of what is read so far, before they are taken.
Plan parse_plan(nb::handle spec, const Allow& allow);

}  // namespace vq
