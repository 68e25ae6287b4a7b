// Decisions of DeltaPolicy for costs that are made up: no network, no clock.
#include "../core/delta_policy.h"

#include "checks.h"

using namespace vq;
using Path = DeltaPolicy::Path;

namespace {

// Frames of which a share of the input changes; a full one costs `full`, a followed one `followed`. Returns how many of
// them were followed, that is neither full nor fresh.
int follow(DeltaPolicy& policy, int frames, double share, double full, double followed) {
    int count = 0;
    for (int i = 0; i < frames; i++) {
        const Path path = policy.select_path(share);
        count += !path.full && !path.fresh;
        policy.add_cost(path.full ? full : followed);
    }
    return count;
}

void first_frames_are_full() {
    DeltaPolicy policy;
    const Path first = policy.select_path(1);
    CHECK(first.full && first.fresh);
    policy.add_cost(9);
    CHECK(follow(policy, 2, 0, 1, 0.1) == 0);  // until it is known what a full one costs
}

void a_frame_after_full_ones_fills_the_buffers() {
    DeltaPolicy policy;
    bool was_full = true;
    for (int i = 0; i < 50; i++) {
        const Path path = policy.select_path(0);
        if (!path.full && was_full) CHECK(path.fresh);
        if (!path.full && !was_full) CHECK(!path.fresh);
        was_full = path.full;
        policy.add_cost(path.full ? 1 : 0.2);
    }
    CHECK(!was_full);
}

void cheap_frames_are_followed() {
    DeltaPolicy policy;
    CHECK(follow(policy, 200, 0.01, 1, 0.2) > 190);
}

void dear_frames_are_full_and_tried_again() {
    DeltaPolicy policy;
    const int followed = follow(policy, 400, 0.9, 1, 1.5);
    CHECK(followed > 0 && followed < 40);
}

void waits_grow_with_every_vain_trial() {
    DeltaPolicy policy;
    const int early = follow(policy, 100, 0.9, 1, 1.5), late = follow(policy, 400, 0.9, 1, 1.5);
    CHECK(late < 4 * early);
}

void levels_of_change_are_apart() {
    DeltaPolicy policy;
    follow(policy, 200, 0.9, 1, 1.5);       // much change does not pay
    CHECK(follow(policy, 100, 0, 1, 0.1) > 90);  // none does
}

void one_odd_frame_changes_nothing() {
    DeltaPolicy policy;
    follow(policy, 60, 0, 1, 0.1);
    follow(policy, 60, 0.9, 1, 1.5);
    follow(policy, 6, 0, 1, 0.1);  // fewer than those after which a full one is measured again
    CHECK(!policy.full());
    policy.select_path(0.9);
    CHECK(!policy.full());
}

void an_interrupted_frame_changes_nothing() {
    for (int interrupted = 0; interrupted < 40; interrupted++) {
        DeltaPolicy policy;
        for (int i = 0; i < 60; i++) {
            const Path path = policy.select_path(0);
            if (i >= 10) CHECK(!path.full);
            policy.add_cost(i == interrupted ? 500 : path.full ? 1 : 0.2);
        }
    }
}

void less_change_is_calmer() {
    DeltaPolicy policy;
    CHECK(!policy.select_path(0.3).calmer);
    policy.add_cost(1);
    CHECK(policy.select_path(0.05).calmer);
    policy.add_cost(1);
    CHECK(!policy.select_path(0.05).calmer);
}

void always_following_asks_no_costs() {
    DeltaPolicy policy;
    policy.always_follow();
    const Path first = policy.select_path(1);
    CHECK(!first.full && first.fresh);  // there is nothing yet to follow
    policy.add_cost(1);
    CHECK(follow(policy, 100, 0.9, 1, 50) == 100);
}

void refreshed_frames_are_fresh_once() {
    DeltaPolicy policy;
    follow(policy, 60, 0, 1, 0.1);
    policy.refresh();
    CHECK(policy.select_path(0).fresh);
    policy.add_cost(1);
    CHECK(!policy.select_path(0).fresh);
}

void same_costs_give_same_decisions() {
    DeltaPolicy a, b;
    unsigned random = 1;
    for (int i = 0; i < 3000; i++) {
        random = random * 1664525u + 1013904223u;
        const double share = double(random >> 8 & 0xFF) / 255, cost = 0.2 + double(random >> 16 & 0xFF) / 160;
        const Path x = a.select_path(share), y = b.select_path(share);
        CHECK(x.full == y.full && x.fresh == y.fresh && x.calmer == y.calmer);
        a.add_cost(cost);
        b.add_cost(cost);
    }
}

}  // namespace

int main() {
    first_frames_are_full();
    a_frame_after_full_ones_fills_the_buffers();
    cheap_frames_are_followed();
    dear_frames_are_full_and_tried_again();
    waits_grow_with_every_vain_trial();
    levels_of_change_are_apart();
    one_odd_frame_changes_nothing();
    an_interrupted_frame_changes_nothing();
    less_change_is_calmer();
    always_following_asks_no_costs();
    refreshed_frames_are_fresh_once();
    same_costs_give_same_decisions();
}
