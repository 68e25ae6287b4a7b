// Whether following changes pays: decisions from measured costs, and nothing else. It knows no plan, no kernels and no
// clock; the same costs give the same decisions.
#pragma once
#include <algorithm>
#include <cstdint>

namespace vq {

// Following changes must not cost more than it saves. What it costs depends on how much of the frame changed, and cameras
// and codecs mix frames of much and of little change, so costs are kept by levels of the input's change: where a level's
// frames cost more than full ones, its next ones are computed in full, then it is tried again. Full frames one after the
// other run in a memory of their own, which is smaller; then the memory that follows is out of date, and must be filled
// before changes are followed again.
class DeltaPolicy {
public:
    // How a frame is computed.
    struct Path {
        bool full = false;    // in the memory of full frames
        bool fresh = false;   // it fills the buffers, whatever is known of an earlier one
        bool calmer = false;  // less changes than in the frame before: see everywhere again what does
    };

    // share: of the input's pixels, those that changed.
    Path select_path(double share);
    // After the frame that was decided last: the seconds that it took. No output depends on them.
    void add_cost(double cost);
    // Follow changes even where it costs more than it saves: for measuring what there is to save.
    void always_follow() {
        fresh_ |= full_;
        always_ = true, full_ = false;
    }
    // The next frame is computed in full.
    void refresh() { fresh_ = true; }
    bool full() const { return full_; }
    bool fresh() const { return fresh_; }

private:
    struct Cost {
        int frames = 0;
        double usual = 0;
        // What is more than usual is mostly the machine's doing: low costs are believed sooner, by a share of `fall`, of
        // the first three at once, and one interrupted frame weighs no more than a few times the usual.
        void add(double cost, double fall) {
            if (frames == 0) usual = cost;
            else if (cost < usual) usual += (frames < 3 ? 1 : fall) * (cost - usual);
            else usual += 0.1 * (std::min(cost, 4 * usual) - usual);
            frames++;
        }
    };
    static constexpr int levels = 6, shortest_wait = 16;
    struct Level {
        Cost cost;                 // of a followed frame
        int left = 0;              // frames in full before changes are followed again
        int wait = shortest_wait;  // how many the next time
    };
    bool is_profitable();

    bool always_ = false;
    bool full_ = true;   // this frame runs in the memory of full frames, as the first ones of all do
    bool fresh_ = true;
    int others_ = 1;     // frames in a row that the other memory would have been right for
    int level_ = 0;      // of this frame
    int since_ = 0;      // followed frames since the last full one
    int enough_ = 8;     // of them, until what a full one costs is measured again
    Level levels_[levels];
    Cost full_cost_;
    int full_frames_ = 0;
};

}  // namespace vq
