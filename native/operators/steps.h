// The steps of a program as a plan names them: read and checked, by a table.
#pragma once
#include "../core/operator.h"

namespace vq {

// r: of the step's dict. op: whose program it is in.
StepPlan parse_step(const OpReader& r, const OpHead& op);

}  // namespace vq
