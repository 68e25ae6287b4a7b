#include "parse_updates.h"

#include <cfloat>
#include <cmath>

namespace vq {

void UpdateParser::parse(const Reader& r, ProgramPlan& program) {
    const int64_t count = int64_t(program.ops.size());
    for (const Reader& reader : r.list("updates", program.name + " update")) {
        RangeUpdate made = update(reader, program.name == "key");
        if (made.before_op > count || (!program.updates.empty() && made.before_op < program.updates.back().before_op))
            reader.fail(": its place");
        if (made.before_op < count) program.ops[size_t(made.before_op)]->after_update = true;
        program.updates.push_back(std::move(made));
    }
}

RangeUpdate UpdateParser::update(const Reader& r, bool is_key) {
    RangeUpdate update;
    update.before_op = r.integer("before_op", 0, INT32_MAX);
    update.slot = r.integer("slot", 0, int32_t(plan_.slots.size()) - 1);
    const Slot& slot = plan_.slots[size_t(update.slot)];
    if (!slot.floats()) r.fail(": its slot holds no values");
    if (r.has("measure") == r.has("predict")) r.fail(" is neither 'measure' nor 'predict'");
    if (r.has("measure")) update.measured = grid_index(r.dict("measure"));
    else prediction(r.dict("predict"), update, is_key);
    return update;
}

void UpdateParser::prediction(const Reader& r, RangeUpdate& update, bool is_key) {
    Predictions& made = update.predictions;
    const auto features = r.texts("features");
    for (const std::string& name : features) made.features.emplace_back(name);
    const auto steps = r.integers("steps", 3, 1, 1 << 20);
    std::copy(steps.begin(), steps.end(), made.steps.begin());
    for (const Reader& item : r.list("grids", r.where() + " grid")) made.grids.push_back(grid(item, features.size()));
    const auto value = r.text("value");
    update.remembers = r.boolean("remember");
    update.compares = !is_key && !made.grids.empty();
    const auto found = remembered_.find(value);
    const int64_t count = plan_.slots[size_t(update.slot)].pixels() * plan_.slots[size_t(update.slot)].c;
    if (found != remembered_.end()) {
        update.remembered = found->second;
        if ((update.compares || update.remembers) && plan_.remembered[size_t(found->second)] != count)
            r.fail(": its value differs in size from what is remembered");
    } else if (update.compares) r.fail(": nothing to compare with");
    else if (update.remembers) {
        update.remembered = remembered_[value] = int32_t(plan_.remembered.size());
        plan_.remembered.push_back(count);
    }
}

Predicted UpdateParser::grid(const Reader& r, size_t features) const {
    Predicted made;
    made.index = grid_index(r);
    made.bits = r.integer("bits", 2, 8);
    made.symmetric = r.boolean("symmetric");
    made.dense = r.boolean("dense");
    for (const auto& [name, end] : {std::pair(std::string("low"), &made.low), std::pair(std::string("high"), &made.high)}) {
        const auto [slopes, intercept, least, most] = r.line(name.c_str());
        *end = {slopes, intercept, least, most};
        if (slopes.size() != features) r.fail(": '" + name + "' needs one slope for each feature");
        std::vector<double> numbers = slopes;
        numbers.insert(numbers.end(), {intercept, least, most});
        for (const double number : numbers)
            if (!(std::abs(number) <= double(FLT_MAX) / 2)) r.fail(": '" + name + "' holds no usable number");
        if (least > most) r.fail(": '" + name + "' lies between " + std::to_string(least) + " and less");
    }
    if (made.low.most > 0 || made.high.least < 0 || (made.low.least == 0 && made.high.most == 0))
        r.fail(": a predicted range must reach from zero or below to zero or above");
    return made;
}

int32_t UpdateParser::grid_index(const Reader& r) const {
    if (plan_.grids.empty()) r.fail(": the plan has no grids");
    return r.integer("grid", 0, int32_t(plan_.grids.size()) - 1);
}

}  // namespace vq
