// Which kernels there are to run.
#pragma once
#include <string>
#include <vector>

#include "kernels.h"

namespace vq {

// The kernels that this build has and this CPU can run, best first; the scalar reference is the last.
const std::vector<const Kernels*>& available_kernels();
const Kernels* find_kernels(const std::string& name);  // null where it is not among them

}  // namespace vq
