// What a test of kernels needs: a generator of random numbers, and buffers that two runs can be compared by.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "../core/memory.h"
#include "../core/types.h"

namespace vq::test {

// splitmix64: the same numbers on every machine.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    int between(int low, int high) { return low + int(next() % uint64_t(high - low + 1)); }  // both included
    bool chance(int percent) { return between(1, 100) <= percent; }
    float uniform(float low, float high) { return low + float(next() >> 40) * 0x1p-24f * (high - low); }
    // Ordinary values, and those where kernels go wrong: zeros of both signs, ties of rounding, large ones.
    float value() {
        switch (between(0, 9)) {
            case 0: return chance(50) ? 0.0f : -0.0f;
            case 1: return float(between(-20, 20)) * 0.5f;
            case 2: return uniform(-1e4f, 1e4f);
            default: return uniform(-4, 4);
        }
    }
    template <class T, size_t N>
    T pick(const T (&choices)[N]) {
        return choices[next() % N];
    }
    // A number of channels: few, many, and about the lengths of vectors.
    int channels() {
        static const int edges[] = {15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 100, 128, 130, 200};
        return chance(60) ? between(1, 12) : pick(edges);
    }

private:
    uint64_t state_;
};

struct Buffer {
    std::string name;
    Memory memory;
    bool floats = false;
    int64_t count = 0;
    int64_t row = 0, valid = 0;  // where row > 0: 32-bit integers, of whose rows only the first `valid` are compared
    bool counts = false;         // numbers of changed groups, of which only 0 and `wide` must be right
};

// All memory of one case. A case is built twice from one seed; one kernel runs on each; the buffers must agree to the
// last byte, also behind the tensors and in pixels that were not asked for.
class World {
public:
    template <class T>
    T* array(const std::string& name, int64_t count) {
        Buffer b;
        b.name = name;
        b.memory = Memory::of<T>(size_t(count));
        b.floats = sizeof(T) == 4 && T(0.5) != T(0);
        b.count = count;
        T* data = b.memory.as<T>();
        buffers.push_back(std::move(b));
        return data;
    }
    float* floats(const std::string& name, int64_t count, Random& random) {
        float* data = array<float>(name, count);
        for (int64_t i = 0; i < count; i++) data[i] = random.value();
        return data;
    }
    // Channels of a parameter, padded to 64 as kernels expect.
    float* per_channel(const std::string& name, int32_t channels, Random& random) {
        float* data = array<float>(name, (channels + 63) / 64 * 64);
        for (int32_t i = 0; i < channels; i++) data[i] = random.uniform(-2, 2);
        return data;
    }
    Tensor f32(const std::string& name, int32_t h, int32_t w, int32_t c, Random& random) {
        Tensor t{nullptr, h, w, c, c + (random.chance(30) ? random.between(1, 5) : 0)};
        t.data = floats(name, t.pixels() * t.stride, random);
        return t;
    }
    Tensor codes(const std::string& name, int32_t h, int32_t w, int32_t c, const Grid& grid, Random& random) {
        Tensor t{nullptr, h, w, c, (c + 3) / 4 * 4};
        t.data = array<uint8_t>(name, t.pixels() * t.stride);
        for (int64_t i = 0; i < t.pixels() * t.stride; i++) t.u8()[i] = uint8_t(random.between(grid.low, grid.high));
        return t;
    }
    // A value that lives as long as the world.
    template <class T>
    T& own(T value = T()) {
        auto kept = std::make_shared<T>(std::move(value));
        owned_.push_back(kept);
        return *kept;
    }

    std::deque<Buffer> buffers;
    std::string shape;  // says what the case is, for messages

private:
    std::vector<std::shared_ptr<void>> owned_;
};

// The first difference of two worlds, or an empty string.
inline std::string difference(const World& got, const World& expected) {
    for (size_t k = 0; k < got.buffers.size(); k++) {
        const Buffer &a = got.buffers[k], &b = expected.buffers[k];
        const auto message = [&](const char* unit, int64_t at, double x, double y) {
            char text[200];
            std::snprintf(text, sizeof text, "%s: %s %lld, of %lld elements, is %.9g instead of %.9g", a.name.c_str(),
                          unit, (long long)at, (long long)a.count, x, y);
            return std::string(text);
        };
        if (std::memcmp(a.memory.as<char>(), b.memory.as<char>(), a.memory.bytes()) == 0) continue;
        if (a.floats) {
            for (int64_t i = 0; i < int64_t(a.memory.bytes() / 4); i++) {
                const float x = a.memory.as<float>()[i], y = b.memory.as<float>()[i];
                const bool both_nan = std::isnan(x) && std::isnan(y);
                if (std::memcmp(&x, &y, 4) && !both_nan) return message("element", i, x, y);
            }
        } else if (a.row) {
            for (int64_t i = 0; i < a.count; i++) {
                const int32_t x = a.memory.as<int32_t>()[i], y = b.memory.as<int32_t>()[i];
                if (x != y && i % a.row < a.valid) return message("element", i, x, y);
            }
        } else if (a.counts) {
            for (int64_t i = 0; i < a.count; i++) {
                const uint16_t x = a.memory.as<uint16_t>()[i], y = b.memory.as<uint16_t>()[i];
                if (!x != !y || (x & wide) != (y & wide)) return message("element", i, x, y);
            }
        } else {
            for (int64_t i = 0; i < int64_t(a.memory.bytes()); i++) {
                const uint8_t x = a.memory.as<uint8_t>()[i], y = b.memory.as<uint8_t>()[i];
                if (x != y) return message("byte", i, x, y);
            }
        }
    }
    return "";
}

}  // namespace vq::test
