// Memory that vectors may read past its end: aligned to 64 bytes, with `slack` bytes behind, and zero at first.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace vq {

constexpr size_t slack = 320;

class Memory {
public:
    Memory() = default;
    explicit Memory(size_t bytes) : bytes_((bytes + slack + 63) / 64 * 64) {
        data_.reset(static_cast<char*>(std::aligned_alloc(64, bytes_)));
        if (!data_) throw std::bad_alloc();
        std::memset(data_.get(), 0, bytes_);
    }
    template <class T>
    static Memory of(size_t count) {
        return Memory(count * sizeof(T));
    }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_.get());
    }
    size_t bytes() const { return bytes_; }
    explicit operator bool() const { return data_ != nullptr; }

private:
    struct Free {
        void operator()(char* p) const { std::free(p); }
    };
    std::unique_ptr<char, Free> data_;
    size_t bytes_ = 0;
};

}  // namespace vq
