// How far a scan by SYNs has come in the part of its plan that it works through.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace pier {

// Goes with ScanProgress, whose `next` is the first pair of the part.
struct SynProgress {
  static constexpr std::uint64_t kMostPairs = std::uint64_t{1} << 24;

  std::uint64_t size = 0;    // pairs of the part, at most kMostPairs; 0 when there is none left
  unsigned round = 1;        // from 1 to kMostTries
  std::uint64_t cursor = 0;  // place in the part of the pair that the round asks next; up to `size`
  std::uint64_t found = 0;   // answers to probes of this round
  // A bit for each pair of the part, by its place: whether it has been told, or is held. None where empty.
  std::vector<std::uint64_t> settled;

  // What SynStretches knows: for each kBlock pairs the round in which they were asked without a loss, or 0;
  // none where empty. And the round in which that was found to be wrong, or 0.
  static constexpr std::uint64_t kBlock = 256;
  std::vector<std::uint8_t> calm;
  unsigned distrusted = 0;

  std::uint64_t hosts = 0;        // bits of `up`, at most kMostPairs; 0: ScanProgress::up has all there are
  std::vector<std::uint64_t> up;  // a bit for each host, by its index; none where empty

  // Pairs that have answered, wherever in the plan, for a start at asking some of them again.
  struct Known {
    std::uint64_t index = 0;
    bool open = false;
  };
  std::vector<Known> known;

  // Open ports that wait until it is known what they are worth.
  struct Held {
    std::uint64_t index = 0;
    unsigned tries = 1;
    std::optional<Duration> rtt;
  };
  std::vector<Held> held;
};

}  // namespace pier
