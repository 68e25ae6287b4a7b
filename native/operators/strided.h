// Where the elements of a tensor lie that is read in another order: by steps along any number of dimensions.
#pragma once
#include "../core/operator.h"

namespace vq {

// Dimensions of sizes and steps, read as "sizes" and "steps" behind a prefix; what they reach is known to be inside.
struct Strided {
    std::vector<int32_t> sizes, steps;

    Strided() = default;
    Strided(const OpReader& r, const Reader& attrs, const std::string& prefix) {
        const size_t count = size_t(attrs.integer((prefix + "dims").c_str(), 0, 12));
        sizes = attrs.integers((prefix + "sizes").c_str(), count, 1, largest);
        steps = attrs.integers((prefix + "steps").c_str(), count, 0, largest);
        if (this->count() > largest || last() > largest) r.wrong_size();
    }
    // How many elements there are, and where the last one lies.
    double count() const {
        double product = 1;
        for (const int32_t size : sizes) product *= size;
        return product;
    }
    double last() const {
        double sum = 0;
        for (size_t i = 0; i < sizes.size(); i++) sum += double(sizes[i] - 1) * steps[i];
        return sum;
    }
    // Where each lies, the last dimension fastest.
    Memory places(int32_t start = 0) const {
        const int64_t whole = int64_t(count());
        Memory memory = Memory::of<int32_t>(size_t(whole));
        int32_t* out = memory.as<int32_t>();
        std::vector<int32_t> digits(sizes.size(), 0);
        for (int64_t i = 0, at = start; i < whole; i++) {
            out[i] = int32_t(at);
            for (size_t d = sizes.size(); d-- > 0;) {
                at += steps[d];
                if (++digits[d] < sizes[d]) break;
                at -= int64_t(steps[d]) * sizes[d];
                digits[d] = 0;
            }
        }
        return memory;
    }
    bool is_dense() const {
        return sizes.empty() || (sizes.size() == 1 && (steps[0] == 1 || sizes[0] == 1));
    }

private:
    static constexpr int32_t largest = 2147483647;
};

}  // namespace vq
