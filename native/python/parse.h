#pragma once
#include <nanobind/nanobind.h>

#include <map>
#include <string>
#include <vector>

#include "../core/plan.h"

namespace nb = nanobind;

namespace vq {

// By program, the operators before which the caller pauses, to look at values and to set grids.
using Pauses = std::map<std::string, std::vector<int64_t>>;

// Raises std::invalid_argument (ValueError) with one line for whatever is wrong.
// allow: sees the bytes of what is read so far, before they are taken.
Plan parse_plan(nb::handle spec, const Pauses& pauses, const Allow& allow);

}  // namespace vq
