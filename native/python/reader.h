// Reading a dict of plain values and arrays that nobody has checked.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <stdexcept>

namespace vq {

namespace nb = nanobind;

// In one line, whatever names a file has.
[[noreturn]] inline void fail(std::string text) {
    for (char& c : text)
        if (uint8_t(c) < ' ') c = ' ';
    throw std::invalid_argument(text.substr(0, 500));
}

// A dict that says where a value was missing or wrong.
class Reader {
public:
    Reader(nb::handle object, std::string where) : where_(std::move(where)) {
        if (!nb::isinstance<nb::dict>(object)) fail(where_ + " is not a dict");
        dict_ = nb::borrow<nb::dict>(object);
    }
    bool has(const char* key) const { return dict_.contains(key); }
    nb::object raw(const char* key) const {
        if (!has(key)) fail(where_ + " has no '" + key + "'");
        return nb::borrow(dict_[key]);
    }
    template <class T>
    T get(const char* key) const {
        nb::object value = raw(key);
        try {
            return nb::cast<T>(value);
        } catch (const nb::cast_error&) {
            fail(where_ + ": '" + key + "' has the wrong type");
        } catch (const nb::python_error&) {
            fail(where_ + ": '" + key + "' has the wrong type");
        }
    }
    template <class T>
    T get(const char* key, T otherwise) const {
        return has(key) ? get<T>(key) : otherwise;
    }
    int32_t integer(const char* key, int32_t low, int32_t high) const {
        const int64_t value = get<int64_t>(key);
        if (value < low || value > high)
            fail(where_ + ": '" + key + "' is " + std::to_string(value) + "; it must be " + std::to_string(low) +
                 " to " + std::to_string(high));
        return int32_t(value);
    }
    int32_t integer(const char* key, int32_t low, int32_t high, int32_t otherwise) const {
        return has(key) ? integer(key, low, high) : otherwise;
    }
    std::vector<int32_t> integers(const char* key, size_t count, int32_t low, int32_t high) const {
        const auto values = get<std::vector<int64_t>>(key);
        if (values.size() != count) fail(where_ + ": '" + key + "' needs " + std::to_string(count) + " numbers");
        std::vector<int32_t> result;
        for (const int64_t value : values) {
            if (value < low || value > high)
                fail(where_ + ": '" + key + "' has the impossible value " + std::to_string(value));
            result.push_back(int32_t(value));
        }
        return result;
    }
    // A C-contiguous array of exactly this many elements. Not converted: the copy would be gone on return.
    template <class T>
    const T* array(const char* key, int64_t count) const {
        nb::object value = raw(key);
        nb::ndarray<const T, nb::c_contig, nb::device::cpu> array;
        if (!nb::try_cast(value, array, false)) fail(where_ + ": '" + key + "' is not an array of the right type");
        if (int64_t(array.size()) != count)
            fail(where_ + ": '" + key + "' has " + std::to_string(array.size()) + " elements; it needs " +
                 std::to_string(count));
        return array.data();
    }
    const float* floats(const char* key, int64_t count) const {
        const float* values = array<float>(key, count);
        for (int64_t i = 0; i < count; i++)
            if (!std::isfinite(values[i])) fail(where_ + ": '" + key + "' holds NaN or infinity");
        return values;
    }
    Reader dict(const char* key) const { return Reader(raw(key), where_ + "." + key); }
    std::vector<nb::object> list(const char* key) const {
        nb::object value = raw(key);
        if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value))
            fail(where_ + ": '" + key + "' is not a list");
        std::vector<nb::object> result;
        for (nb::handle item : value) result.push_back(nb::borrow(item));
        return result;
    }
    const std::string& where() const { return where_; }

private:
    nb::dict dict_;
    std::string where_;
};

inline float finite(const Reader& reader, const char* key) {
    const double value = reader.get<double>(key);
    if (!std::isfinite(value)) fail(reader.where() + ": '" + key + "' is not finite");
    return float(value);
}

}  // namespace vq
