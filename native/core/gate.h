// The gate at the network's input: which blocks of a frame are computed anew. The twin of videoquant/regions/gate.py,
// which says what the numbers mean, to the last bit; docs/regions.md has the equations.
#pragma once
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace vq {

// The parameters of videoquant.axes.Regions that the gate takes.
struct GateRule {
    double trigger = 0;
    int64_t floor = 0, margin = 0, memory = 0, rest = 0, refresh = 0, block = 0;
};

class Gate {
public:
    // Of pictures h × w × c. Throws std::invalid_argument for a rule or a size that is none.
    Gate(const GateRule& rule, int64_t h, int64_t w, int32_t c, const Kernels& kernels);

    // The region of a frame, whose pixels lie side by side; what is known of the frames before moves on.
    struct Found {
        bool whole, moving;
    };
    Found step(const uint8_t* picture);
    // Of the last step: a byte per block, row by row, 1 where it is computed anew.
    const std::vector<uint8_t>& blocks() const { return blocks_; }
    void reset();

    int64_t rows() const { return rows_; }
    int64_t columns() const { return columns_; }
    int64_t height() const { return h_; }
    int64_t width() const { return w_; }
    int32_t channels() const { return c_; }
    size_t bytes() const;

private:
    static constexpr int bins = 8;  // of brightness
    struct Limits {
        int64_t far[bins], near[bins];
    };
    enum class Last : uint8_t { region, whole, moving };

    void sum_cells(const uint8_t* picture, int64_t row);
    void compare_row(int64_t row, const Limits& limits);
    void fold_patches(int64_t row);
    Limits limits() const;
    void find_faint(const Limits& limits);
    void dilate();
    void learn_noise();
    void mark_due();
    void hold();

    const GateRule rule_;
    const int64_t h_, w_;
    const int32_t c_;
    const Kernels& kernels_;
    const int64_t rows_, columns_, cell_rows_, cell_columns_, patch_rows_, patch_columns_;

    int64_t frames_ = 0;
    Last last_ = Last::region;
    Memory sums_, held_, before_;  // of cells: uint16, h × w × c
    std::vector<int32_t> since_, still_;
    double deviation_[bins];

    Memory scratch_, largest_, change_, moved_;  // of one row
    std::vector<int32_t> patch_change_, patch_bright_;
    std::vector<int64_t> patch_moved_, found_;
    std::vector<int32_t> order_;
    std::vector<uint8_t> triggered_, stirs_, line_, blocks_;
};

}  // namespace vq
