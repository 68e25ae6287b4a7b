// Reading a dict of plain values and arrays that nobody has checked. Whatever does not fit raises std::invalid_argument
// (ValueError in Python) with one line that says where.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vq {

// In one line, whatever names a file has.
[[noreturn]] void fail(std::string text);

// A dict that says where a value was missing or wrong.
class Reader {
public:
    struct Dict;  // python/reader.cpp
    Reader(std::shared_ptr<const Dict> dict, std::string where) : dict_(std::move(dict)), where_(std::move(where)) {}

    const std::string& where() const { return where_; }
    Reader at(std::string where) const { return Reader(dict_, std::move(where)); }  // the same, by another name
    [[noreturn]] void fail(const std::string& text) const { vq::fail(where_ + text); }

    bool has(const char* key) const;
    bool boolean(const char* key) const;
    bool boolean(const char* key, bool otherwise) const { return has(key) ? boolean(key) : otherwise; }
    std::string text(const char* key) const;
    std::string text(const char* key, const char* otherwise) const { return has(key) ? text(key) : otherwise; }
    double number(const char* key) const;  // not NaN
    double number(const char* key, double otherwise) const { return has(key) ? number(key) : otherwise; }
    float finite(const char* key) const;
    int32_t integer(const char* key, int32_t low, int32_t high) const;
    int32_t integer(const char* key, int32_t low, int32_t high, int32_t otherwise) const {
        return has(key) ? integer(key, low, high) : otherwise;
    }
    std::vector<int32_t> integers(const char* key, size_t count, int32_t low, int32_t high) const;
    std::vector<int32_t> indices(const char* key, size_t count, const char* what) const;  // each below count
    std::vector<std::string> texts(const char* key) const;
    // [numbers, number, number, number]
    struct Line {
        std::vector<double> slopes;
        double intercept, least, most;
    };
    Line line(const char* key) const;
    // A C-contiguous array of exactly this many elements, which stays where the plan's dict does.
    const int8_t* codes(const char* key, int64_t count) const;
    // Not NaN; finite, unless infinity is allowed.
    const float* floats(const char* key, int64_t count, bool infinity = false) const;
    Reader dict(const char* key) const;
    std::vector<Reader> list(const char* key, const std::string& each) const;  // of dicts, "each 0", "each 1", …
    std::vector<std::pair<std::string, int64_t>> entries(const char* key) const;  // of a dict; −1 for what is no integer

private:
    std::shared_ptr<const Dict> dict_;
    std::string where_;
};

}  // namespace vq
