// Where a program's grids are set to the ranges of a frame, as its plain form says (docs/plan.md).
#pragma once
#include <map>
#include <string>

#include "../core/plan.h"
#include "../core/reader.h"

namespace vq {

// Reads the updates of a plan's programs, the keyframe's first, and checks them against its slots and grids.
class UpdateParser {
public:
    explicit UpdateParser(Plan& plan) : plan_(plan) {}
    // Fills program.updates, and tells the program's operators where they are.
    void parse(const Reader& reader, ProgramPlan& program);

private:
    RangeUpdate update(const Reader& reader, bool is_key);
    void prediction(const Reader& reader, RangeUpdate& update, bool is_key);
    Predicted grid(const Reader& reader, size_t features) const;
    int32_t grid_index(const Reader& reader) const;

    Plan& plan_;
    std::map<std::string, int32_t> remembered_;  // by the value's name, its place in the session
};

}  // namespace vq
