// Which kernels there are to run.
#pragma once
#include <string>
#include <vector>

#include "kernels.h"

namespace vq {

// The kernels that this build has and this CPU can run, best first; the scalar reference is the last.
const std::vector<const Kernels*>& available_kernels();
const Kernels* find_kernels(const std::string& name);  // null where it is not among them
// Those of a name, or the best where it is empty. Throws std::invalid_argument where this CPU cannot run them.
const Kernels& kernels_named(const std::string& name);

}  // namespace vq
