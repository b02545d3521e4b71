// Which stretches of a round went out without a loss.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "scan/syn_progress.h"

namespace pier {

// Where a network takes so many probes a second and no more, each further round is expensive, and the checks
// say well when one is needed: of a stretch that was asked at the rate of that limit, and in which, as in the
// one before and the one after it, no check at all was lost, hardly anything is missing. Of a plan's part by
// places.
class SynStretches {
 public:
  static constexpr std::uint64_t kPairs = 1024;  // asked in each
  // Checks that a stretch must have had.
  static constexpr unsigned kChecks = 32;
  // Of calm pairs, one in so many is asked once more all the same: an answer would prove the checks wrong.
  static constexpr std::uint64_t kSample = 16;

  // A part of so many pairs begins: 4 KiB for a million.
  void begin(std::uint64_t pairs);
  // A pair is asked, in ascending order within a round. `limited`: at the rate of a limit.
  void ask(std::uint64_t at, bool limited, TimePoint when);
  // The end of a check that was sent at `sent`.
  void check(bool lost, TimePoint sent);
  // Some of what was asked since then did not go out.
  void doubt(TimePoint since);
  // The round is over. Checks whose end is not known yet speak for nothing.
  void end_round(unsigned round);
  // The checks were wrong: after that round everything is asked again.
  void distrust(unsigned round) {
    if (distrusted_ == 0) distrusted_ = round;
  }

  // For another process to go on with, and before it asks from `at` on: what was asked before that in this
  // round is not known to be calm.
  [[nodiscard]] const std::vector<std::uint8_t>& calm() const { return calm_; }
  [[nodiscard]] unsigned distrusted() const { return distrusted_; }
  void restore(const std::vector<std::uint8_t>& calm, unsigned distrusted, std::uint64_t at);

  // The round in which it was asked in a calm stretch; 0 while in none.
  [[nodiscard]] unsigned calm_since(std::uint64_t at) const { return calm_[at / kBlock]; }
  // Whether that round, from 1, asks it while it has not been answered.
  [[nodiscard]] bool is_asked(std::uint64_t at, unsigned round) const {
    const unsigned since = calm_since(at);
    return since == 0 || round <= since || (distrusted_ > 0 && round > distrusted_) ||
           (round == since + 1 && at % kSample == 0);
  }

 private:
  static constexpr std::uint64_t kBlock = SynProgress::kBlock;  // pairs that are calm together
  struct Stretch {
    std::uint64_t first;  // block
    TimePoint began;
    std::uint64_t asked = 0;
    unsigned checks = 0;
    unsigned lost = 0;
    bool limited = true;
  };
  std::vector<Stretch> stretches_;     // of this round
  std::uint64_t last_ = 0;             // block that was asked
  std::vector<std::uint8_t> calm_;     // the round, by block
  unsigned distrusted_ = 0;            // in that round; 0 for never
  std::uint64_t unsure_ = UINT64_MAX;  // block of which another process asked the first pairs, in this round
};

}  // namespace pier
