#include "features.h"

#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace vq {
namespace {

constexpr int parts = 2048;  // of the range of values' keys
constexpr int most_wanted = 64;  // elements at once
// Bytes that `select` needs for a value: its part and itself twice, at most three times, for a part of a part of a part
// holds one key; and what is rounded up.
constexpr int64_t room_each = 3 * (2 + 4 + 4), room_more = 1024;

float of_key(int32_t key) {
    const int32_t bits = key ^ (key < 0 ? 0x7FFFFFFF : 0);
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

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

// Elements of rank first … last − 1, in increasing order, of the values. Those that have the least or the largest value
// are known at once, of which activations have many. For the others the range is cut into equal parts and counted how
// many values lie in each; only those in a part that an element is wanted of are looked at again.
void Features::select(const float* values, int64_t count, Wanted* first, Wanted* last, uint8_t* room) const {
    if (count <= most_ordered) {
        float ordered[most_ordered];
        kernels_->order(values, int32_t(count), ordered);
        for (; first < last; first++) *first->answer = ordered[first->rank];
        return;
    }
    int32_t ends[3];
    int64_t counts[2];
    kernels_->key_ends(values, count, ends, counts);
    const auto [least, next, largest] = ends;
    while (first < last && first->rank < counts[0]) *first++->answer = of_key(least);
    while (first < last && last[-1].rank >= count - counts[1]) *(--last)->answer = of_key(largest);
    if (first == last) return;

    int32_t shift = 0;
    while ((uint32_t(largest) - uint32_t(next)) >> shift >= parts) shift++;
    auto* bins = reinterpret_cast<uint16_t*>(room);
    kernels_->key_bins(values, count, next, shift, bins);  // the least ones are in the first part
    // Two of them, since the second of two equal bins in a row would wait for the first.
    uint32_t found[2][parts] = {};
    for (int64_t i = 0; i + 1 < count; i += 2) found[0][bins[i]]++, found[1][bins[i + 1]]++;
    if (count % 2) found[0][bins[count - 1]]++;

    // The parts that are looked at, each a group of values, and whose elements are in it.
    struct Group {
        Wanted *first, *last;
        int64_t begin, end;
    } groups[most_wanted + 1];
    uint8_t group_of[parts] = {};
    int number = 0;
    int64_t below = 0, size = 0;
    for (int part = 0; first < last; part++) {
        const int64_t here = int64_t(found[0][part]) + found[1][part];
        if (first->rank < below + here) {
            Group& group = groups[++number] = {first, first, size, size};
            for (; first < last && first->rank < below + here; first++) first->rank -= below;
            group.last = first, group_of[part] = uint8_t(number), size += here;
        }
        below += here;
    }
    // First their values alone, in order, which guesses nothing; then group by group.
    room += (count * 2 + 63) / 64 * 64;
    auto* some = reinterpret_cast<float*>(room);
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t group = group_of[bins[i]];
        some[kept] = values[i], bins[kept] = group;
        kept += group != 0;
    }
    room += (kept * 4 + 127) / 64 * 64;
    auto* grouped = reinterpret_cast<float*>(room);
    for (int64_t i = 0; i < kept; i++) grouped[groups[bins[i]].end++] = some[i];
    room += (kept * 4 + 63) / 64 * 64;
    for (const Group* group = groups + 1; group <= groups + number; group++)
        select(grouped + group->begin, group->end - group->begin, group->first, group->last, room);
}

std::vector<double> Features::take(const Sampled& sampled, const std::vector<Feature>& features) {
    int64_t count = 0;
    const float* values = sample(sampled, count);
    const size_t room = size_t(count * room_each + room_more);
    if (selected_.bytes() < room) selected_ = Memory::of<uint8_t>(room);

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
        if (task == 0) {
            Wanted *first = wanted.data(), *last = first + wanted.size();
            for (; first < last; first += most_wanted)
                select(values, count, first, std::min(first + most_wanted, last), selected_.as<uint8_t>());
        } else if (moments) {
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

void key_ends(const float* values, int64_t count, int32_t* ends, int64_t* counts) {
    std::vector<int32_t> keys;
    for (int64_t i = 0; i < count; i++) keys.push_back(order_key(values[i]));
    std::sort(keys.begin(), keys.end());
    const auto next = std::upper_bound(keys.begin(), keys.end(), keys.front());
    ends[0] = keys.front(), ends[1] = next == keys.end() ? INT32_MAX : *next, ends[2] = keys.back();
    for (int end = 0; end < 2; end++) counts[end] = std::count(keys.begin(), keys.end(), ends[2 * end]);
}

void key_bins(const float* values, int64_t count, int32_t low, int32_t shift, uint16_t* bins) {
    for (int64_t i = 0; i < count; i++)
        bins[i] = uint16_t(std::max<int64_t>(int64_t(order_key(values[i])) - low, 0) >> shift);
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
