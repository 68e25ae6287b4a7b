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
Plan parse_plan(nb::handle spec, const Pauses& pauses);

}  // namespace vq
