// What predictors of ranges see of a value: quantiles and moments of a sample of it
// (videoquant/ranges/features.py).
#pragma once
#include <string>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "threads.h"

namespace vq {

// A feature by its name: q0.9 and the like, min, max, absmax, mean, std. Quantiles are elements: that of rank
// ⌊level · (n − 1)⌋.
struct Feature {
    enum class Kind : uint8_t { quantile, mean, std, absmax };
    explicit Feature(const std::string& name);
    Kind kind = Kind::quantile;
    double level = 0;
};

// A value h × w × c, in pixels without gaps, and the sample that is taken of it: every a-th row, b-th column and c-th
// channel. Where there is a reference, of the same size, the sample is of |value − reference|.
struct Sampled {
    const float *value = nullptr, *reference = nullptr;
    int64_t h = 0, w = 0, c = 0;
    int64_t rows = 1, columns = 1, channels = 1;  // the steps
};

class Features {
public:
    Features(const Kernels* kernels, Threads* threads) : kernels_(kernels), threads_(threads) {}
    std::vector<double> take(const Sampled& sampled, const std::vector<Feature>& features);
    size_t bytes() const { return sample_.bytes() + selected_.bytes(); }

private:
    // An element that is wanted: the `rank`-th of the values at hand, which is what `answer` of a call asks for.
    struct Wanted {
        int64_t rank;
        float* answer;
    };
    const float* sample(const Sampled& sampled, int64_t& count);
    void select(const float* values, int64_t count, Wanted* first, Wanted* last, uint8_t* room) const;

    const Kernels* kernels_;
    Threads* threads_;
    Memory sample_, selected_;
};

}  // namespace vq
