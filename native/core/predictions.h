// The grids that are predicted from the features of a value: linear models of their ranges
// (videoquant/ranges/predictor.py), and the grids of those (videoquant/ranges/grid.py).
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

// A place in a program where grids are set to this frame's ranges, by the value in a slot: that is measured by the
// caller, who gives the grid, or its features are taken, and every grid that they predict is set.
struct RangeUpdate {
    int64_t before_op = 0;  // it comes before this operator; after the last one where there is none
    int32_t slot = 0;
    int32_t measured = -1;  // the grid that the caller gives; −1 where ranges are predicted
    Predictions predictions;
    // Residual frames take features of the difference from what an earlier frame left in this place of the session.
    int32_t remembered = -1;
    bool compares = false;  // with what is there; a keyframe does not
    bool remembers = false;  // this frame's value for later ones
};

}  // namespace vq
