// Memory that the tasks of one operator use while they run: a piece for each thread.
#pragma once
#include <mutex>
#include <vector>

#include "memory.h"

namespace vq {

class Scratch {
public:
    // At least `bytes` for each of `threads`, while none is lent.
    void reserve(int threads, size_t bytes) {
        if (!pieces_.empty() && pieces_[0].bytes() >= bytes + slack) return;
        pieces_.clear();  // first, so that old and new ones need not lie side by side
        free_.clear();
        std::vector<Memory> pieces;
        for (int t = 0; t < threads; t++) pieces.emplace_back(bytes);
        for (const Memory& piece : pieces) free_.push_back(piece.as<char>());
        pieces_ = std::move(pieces);
    }
    size_t bytes() const { return pieces_.empty() ? 0 : pieces_.size() * pieces_[0].bytes(); }

    // One piece, for as long as this lives.
    class Loan {
    public:
        explicit Loan(Scratch& from) : from_(from) {
            std::lock_guard<std::mutex> lock(from_.mutex_);
            piece_ = from_.free_.back();
            from_.free_.pop_back();
        }
        ~Loan() {
            std::lock_guard<std::mutex> lock(from_.mutex_);
            from_.free_.push_back(piece_);
        }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        template <class T>
        T* as() const {
            return reinterpret_cast<T*>(piece_);
        }

    private:
        Scratch& from_;
        char* piece_;
    };

private:
    std::vector<Memory> pieces_;
    std::vector<char*> free_;
    std::mutex mutex_;
};

}  // namespace vq
