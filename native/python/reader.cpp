#include "reader.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <stdexcept>

namespace nb = nanobind;

namespace vq {

struct Reader::Dict {
    nb::dict values;
};

namespace {

nb::object raw(const Reader& reader, const Reader::Dict& dict, const char* key) {
    if (!dict.values.contains(key)) reader.fail(" has no '" + std::string(key) + "'");
    return nb::borrow(dict.values[key]);
}

template <class T>
T get(const Reader& reader, const Reader::Dict& dict, const char* key) {
    const nb::object value = raw(reader, dict, key);
    try {
        return nb::cast<T>(value);
    } catch (const nb::cast_error&) {
    } catch (const nb::python_error&) {
    }
    reader.fail(": '" + std::string(key) + "' has the wrong type");
}

// Not converted: the copy would be gone on return.
template <class T>
const T* array(const Reader& reader, const Reader::Dict& dict, const char* key, int64_t count) {
    const nb::object value = raw(reader, dict, key);
    nb::ndarray<const T, nb::c_contig, nb::device::cpu> array;
    if (!nb::try_cast(value, array, false))
        reader.fail(": '" + std::string(key) + "' is not an array of the right type");
    if (int64_t(array.size()) != count)
        reader.fail(": '" + std::string(key) + "' has " + std::to_string(array.size()) + " elements; it needs " +
                    std::to_string(count));
    return array.data();
}

nb::object sequence(const Reader& reader, const Reader::Dict& dict, const char* key) {
    const nb::object value = raw(reader, dict, key);
    if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value))
        reader.fail(": '" + std::string(key) + "' is not a list");
    return value;
}

}  // namespace

void fail(std::string text) {
    for (char& c : text)
        if (uint8_t(c) < ' ') c = ' ';
    throw std::invalid_argument(text.substr(0, 500));
}

Reader reader_of(nb::handle object, const std::string& where) {
    if (!nb::isinstance<nb::dict>(object)) fail(where + " is not a dict");
    return Reader(std::make_shared<Reader::Dict>(Reader::Dict{nb::borrow<nb::dict>(object)}), where);
}

bool Reader::has(const char* key) const { return dict_->values.contains(key); }
bool Reader::boolean(const char* key) const { return get<bool>(*this, *dict_, key); }
std::string Reader::text(const char* key) const { return get<std::string>(*this, *dict_, key); }

double Reader::number(const char* key) const {
    const double value = get<double>(*this, *dict_, key);
    if (std::isnan(value)) fail(": '" + std::string(key) + "' is NaN");
    return value;
}

float Reader::finite(const char* key) const {
    const double value = get<double>(*this, *dict_, key);
    if (!std::isfinite(value)) fail(": '" + std::string(key) + "' is not finite");
    return float(value);
}

int32_t Reader::integer(const char* key, int32_t low, int32_t high) const {
    const int64_t value = get<int64_t>(*this, *dict_, key);
    if (value < low || value > high)
        fail(": '" + std::string(key) + "' is " + std::to_string(value) + "; it must be " + std::to_string(low) +
             " to " + std::to_string(high));
    return int32_t(value);
}

std::vector<int32_t> Reader::integers(const char* key, size_t count, int32_t low, int32_t high) const {
    const auto values = get<std::vector<int64_t>>(*this, *dict_, key);
    if (values.size() != count) fail(": '" + std::string(key) + "' needs " + std::to_string(count) + " numbers");
    std::vector<int32_t> result;
    for (const int64_t value : values) {
        if (value < low || value > high)
            fail(": '" + std::string(key) + "' has the impossible value " + std::to_string(value));
        result.push_back(int32_t(value));
    }
    return result;
}

std::vector<int32_t> Reader::indices(const char* key, size_t count, const char* what) const {
    std::vector<int32_t> result;
    const nb::object values = sequence(*this, *dict_, key);
    for (const nb::handle item : values) {
        int64_t index;
        if (!nb::try_cast(item, index) || index < 0 || index >= int64_t(count)) fail(std::string(": ") + what);
        result.push_back(int32_t(index));
    }
    return result;
}

std::vector<std::string> Reader::texts(const char* key) const {
    return get<std::vector<std::string>>(*this, *dict_, key);
}

Reader::Line Reader::line(const char* key) const {
    const auto [slopes, intercept, least, most] =
        get<std::tuple<std::vector<double>, double, double, double>>(*this, *dict_, key);
    return {slopes, intercept, least, most};
}

const int8_t* Reader::codes(const char* key, int64_t count) const { return array<int8_t>(*this, *dict_, key, count); }

const float* Reader::floats(const char* key, int64_t count, bool infinity) const {
    const float* values = array<float>(*this, *dict_, key, count);
    for (int64_t i = 0; i < count; i++)
        if (!std::isfinite(values[i]) && !(infinity && std::isinf(values[i]))) fail(": '" + std::string(key) + "' holds NaN or infinity");
    return values;
}

Reader Reader::dict(const char* key) const { return reader_of(raw(*this, *dict_, key), where_ + "." + key); }

std::vector<Reader> Reader::list(const char* key, const std::string& each) const {
    std::vector<Reader> result;
    const nb::object values = sequence(*this, *dict_, key);
    for (const nb::handle item : values) result.push_back(reader_of(item, each + " " + std::to_string(result.size())));
    return result;
}

std::vector<std::pair<std::string, int64_t>> Reader::entries(const char* key) const {
    std::vector<std::pair<std::string, int64_t>> result;
    const nb::object value = raw(*this, *dict_, key);
    if (!nb::isinstance<nb::dict>(value)) fail(": '" + std::string(key) + "' has the wrong type");
    for (auto [name, item] : nb::borrow<nb::dict>(value)) {
        int64_t number;
        if (!nb::try_cast(item, number) || number < 0) number = -1;
        result.emplace_back(nb::cast<std::string>(nb::str(name)), number);
    }
    return result;
}

}  // namespace vq
