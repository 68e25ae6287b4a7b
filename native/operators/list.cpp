#include "list.h"

namespace vq {

const OpType* find_operator(const std::string& kind) {
#define VQ_ENTRY(name) &name##_type,
    static const OpType* const all[] = {VQ_OPERATORS(VQ_ENTRY)};
#undef VQ_ENTRY
    for (const OpType* type : all)
        if (kind == type->kind) return type;
    return nullptr;
}

}  // namespace vq
