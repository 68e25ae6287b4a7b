#include "features.h"

#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace vq {
namespace {

constexpr int pivots = 128;  // values that say about where an element of a rank lies

bool before(float a, float b) { return order_key(a) < order_key(b); }

}  // namespace

Feature::Feature(const std::string& name) {
    if (name == "mean") kind = Kind::mean;
    else if (name == "std") kind = Kind::std;
    else if (name == "absmax") kind = Kind::absmax;
    else if (name == "max") level = 1;
    else if (name != "min") {
        char* end = nullptr;
        if (name.size() > 1 && name[0] == 'q') level = std::strtod(name.c_str() + 1, &end);
        if (!end || *end || !(level >= 0 && level <= 1)) throw std::invalid_argument("unknown feature '" + name + "'");
    }
}

// The sample's values close together: in place where the whole value is the sample.
const float* Features::sample(const Sampled& s, int64_t& count) {
    const int64_t rows = (s.h + s.rows - 1) / s.rows, columns = (s.w + s.columns - 1) / s.columns;
    const int64_t channels = (s.c + s.channels - 1) / s.channels;
    count = rows * columns * channels;
    if (s.rows == 1 && s.columns == 1 && s.channels == 1 && !s.reference) return s.value;
    if (sample_.bytes() < size_t(count) * 4) sample_ = Memory::of<float>(size_t(count));
    float* out = sample_.as<float>();
    threads_->run(rows, [&](int64_t row) {
        float* to = out + row * columns * channels;
        for (int64_t column = 0; column < columns; column++) {
            const int64_t at = (row * s.rows * s.w + column * s.columns) * s.c;
            for (int64_t c = 0; c < channels; c++, to++) {
                const int64_t from = at + c * s.channels;
                *to = s.reference ? std::abs(s.value[from] - s.reference[from]) : s.value[from];
            }
        }
    });
    return out;
}

// Elements of rank first … last, in increasing order, of the values: these are narrowed down to those between two of a
// few, in one pass at the speed of vectors, and so on, for all that lie close together at once. It is right for
// whatever few they are. room: for four times the values, and some.
void Features::select(const float* values, int64_t count, Wanted* first, Wanted* last, float* room) const {
    float ordered[most_ordered];
    if (count <= most_ordered) {
        kernels_->order(values, int32_t(count), ordered);
        for (; first < last; first++) *first->answer = ordered[first->rank];
        return;
    }
    float some[pivots];
    // From all over, in no step that channels could be met in.
    for (int64_t i = 0; i < pivots; i++)
        some[i] = values[(uint64_t(uint32_t(uint64_t(i) * 0x9E3779B97F4A7C15u >> 32)) * uint64_t(count)) >> 32];
    kernels_->order(some, pivots, ordered);
    // The pivots that an element lies between, by three standard deviations.
    const auto pivot = [&](const Wanted& wanted, int side) {
        const double share = double(wanted.rank) / double(count);
        const double at = share * pivots + side * (3 * std::sqrt(pivots * share * (1 - share)) + 2);
        return int(std::max(-1.0, std::min(double(pivots), std::floor(at))));
    };
    while (first < last) {
        Wanted* end = first + 1;
        const int from = pivot(*first, -1);
        while (end < last && pivot(*end, 1) - from < pivots / 2) end++;
        const int to = pivot(end[-1], 1);
        const int32_t low = from < 0 ? INT32_MIN : order_key(ordered[from]);
        const int32_t high = to == pivots ? INT32_MAX : order_key(ordered[to]);
        int64_t found = 0, below = 0;
        kernels_->between(values, count, low, high, room, found, below);
        if (below > first->rank || end[-1].rank >= below + found || found > count * 3 / 4) {
            // The few were not like the rest, or most of the rest are equal.
            std::copy(values, values + count, room);
            for (Wanted* w = first; w < end; w++) {
                std::nth_element(room, room + w->rank, room + count, before);
                *w->answer = room[w->rank];
            }
        } else {
            for (Wanted* w = first; w < end; w++) w->rank -= below;
            select(room, found, first, end, room + found + 16);
        }
        first = end;
    }
}

std::vector<double> Features::take(const Sampled& sampled, const std::vector<Feature>& features) {
    int64_t count = 0;
    const float* values = sample(sampled, count);
    if (selected_.bytes() < size_t(count) * 16) selected_ = Memory::of<float>(size_t(count) * 4 + 1024);

    std::vector<float> elements(features.size() + 2);  // of the quantiles; then the least and the largest
    std::vector<Wanted> wanted;
    bool moments = false, deviations = false, ends = false;
    for (size_t i = 0; i < features.size(); i++) {
        const Feature& f = features[i];
        moments |= f.kind == Feature::Kind::mean || f.kind == Feature::Kind::std;
        deviations |= f.kind == Feature::Kind::std;
        ends |= f.kind == Feature::Kind::absmax;
        if (f.kind == Feature::Kind::quantile)
            wanted.push_back({int64_t(std::floor(f.level * double(count - 1))), &elements[i]});
    }
    float &least = elements[features.size()], &largest = elements[features.size() + 1];
    if (ends) wanted.push_back({0, &least}), wanted.push_back({count - 1, &largest});
    std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.rank < b.rank; });

    double mean = 0, deviation = 0;
    const auto average = [&](double from, bool squares) {
        double lanes[feature_lanes], sum = 0;
        kernels_->lane_sums(values, count, from, squares, lanes);
        for (const double lane : lanes) sum += lane;
        return sum / double(count);
    };
    threads_->run(2, [&](int64_t task) {
        if (task == 0) select(values, count, wanted.data(), wanted.data() + wanted.size(), selected_.as<float>());
        else if (moments) {
            mean = average(0, false);
            if (deviations) deviation = std::sqrt(average(mean, true));
        }
    });

    std::vector<double> result;
    for (size_t i = 0; i < features.size(); i++) switch (features[i].kind) {
        case Feature::Kind::quantile: result.push_back(double(elements[i])); break;
        case Feature::Kind::mean: result.push_back(mean); break;
        case Feature::Kind::std: result.push_back(deviation); break;
        case Feature::Kind::absmax: result.push_back(std::max(-double(least), double(largest))); break;
    }
    return result;
}

// One value at a time: what the kernels are compared with.
namespace reference {

void lane_sums(const float* values, int64_t count, double from, bool squares, double* lanes) {
    for (int lane = 0; lane < feature_lanes; lane++) lanes[lane] = 0;
    for (int64_t i = 0; i < count; i++) {
        const double distance = double(values[i]) - from;
        lanes[i % feature_lanes] += squares ? distance * distance : distance;
    }
}

void between(const float* values, int64_t count, int32_t low, int32_t high, float* found, int64_t& found_count,
                    int64_t& below) {
    found_count = below = 0;
    for (int64_t i = 0; i < count; i++) {
        if (order_key(values[i]) < low) below++;
        else if (order_key(values[i]) <= high) found[found_count++] = values[i];
    }
}

void order(const float* values, int32_t count, float* ordered) {
    for (int32_t i = 0; i < count; i++) {
        int32_t at = i;
        for (; at > 0 && order_key(ordered[at - 1]) > order_key(values[i]); at--) ordered[at] = ordered[at - 1];
        ordered[at] = values[i];
    }
}

}  // namespace reference

}  // namespace vq
