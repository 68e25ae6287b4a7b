// The grids that are predicted from the features of a value: linear models of their ranges
// (videoquant/quantizers/predictor.py), and the grids of those (videoquant/quantizers/grid.py).
#pragma once
#include <array>
#include <string>
#include <vector>

#include "features.h"

namespace vq {

Grid make_grid(double scale, int32_t zero, int32_t low, int32_t high);

// One grid: the ends of its range are intercept + Σ slope · feature, within least … most.
struct Predicted {
    int32_t index = 0;  // of the plan's grids
    struct End {
        std::vector<double> slopes;
        double intercept = 0, least = 0, most = 0;
        double at(const std::vector<double>& features) const;
    } low, high;
    int32_t bits = 8;
    bool symmetric = false;
    bool dense = false;  // of Dense + Sparse: the range's upper end is T, where the last cell ends

    Grid grid(const std::vector<double>& features) const;
};

// What one position predicts. steps: those of the sample.
struct Predictions {
    std::vector<Feature> features;
    std::array<int64_t, 3> steps{};
    std::vector<Predicted> grids;
};

}  // namespace vq
