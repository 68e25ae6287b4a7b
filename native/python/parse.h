#pragma once
#include "../core/plan.h"
#include "../core/reader.h"

namespace vq {

// Raises std::invalid_argument (ValueError) with one line for whatever is wrong.
// allow: sees the bytes of what is read so far, before they are taken.
Plan parse_plan(const Reader& spec, const Allow& allow);

}  // namespace vq
