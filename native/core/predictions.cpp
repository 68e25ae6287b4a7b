#include "predictions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace vq {
namespace {

constexpr double smallest_scale = 1e-30;  // its reciprocal is a float32 still

double scale_of(double width) { return double(float(std::max(width, smallest_scale))); }

// The float32 scale nearest to end / steps of which so many steps, as float32, are not less than `end`.
double reaching(double end, double steps) {
    const float scale = float(scale_of(end / steps));
    return float(steps) * scale < float(end) ? std::nextafter(scale, std::numeric_limits<float>::infinity()) : scale;
}

}  // namespace

Grid make_grid(double scale, int32_t zero, int32_t low, int32_t high) {
    const float s = float(scale);
    if (!std::isfinite(s) || s <= 0 || !std::isfinite(1.0f / s))
        throw std::invalid_argument("a grid's scale must be positive and finite");
    if (low < 0 || high > 255 || low > high || zero < 0 || zero > 255)
        throw std::invalid_argument("a grid's codes must lie in 0 to 255");
    return {s, 1.0f / s, zero, low, high};
}

double Predicted::End::at(const std::vector<double>& features) const {
    double sum = 0;
    for (size_t i = 0; i < features.size(); i++) sum += slopes[i] * features[i];
    return std::min(std::max(intercept + sum, least), most);
}

Grid Predicted::grid(const std::vector<double>& features) const {
    const double begin = low.at(features), end = high.at(features);
    const int32_t last = (1 << (bits - symmetric)) - 1;
    if (symmetric)
        return make_grid(dense ? reaching(end, last + 0.5) : scale_of(end / last), 128, 128 - last, 128 + last);
    int32_t zero = 0;
    if (dense) {
        const double from = std::max(begin, -end);
        while (zero < last - 1 && !((zero + 0.5) * end >= -from * (last + 0.5 - zero))) zero++;
        return make_grid(std::max(reaching(end, last + 0.5 - zero), reaching(-from, zero + 0.5)), zero, 0, last);
    }
    const double scale = scale_of((end - begin) / last);
    zero = int32_t(std::min(double(last), std::max(0.0, std::nearbyint(-begin / scale))));
    return make_grid(scale, zero, 0, last);
}

}  // namespace vq
