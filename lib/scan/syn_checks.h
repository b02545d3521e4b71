// Probes of ports that have answered before: the only ones whose silence is sure to be a loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "scan/rtt.h"
#include "scan/syn_progress.h"

namespace pier {

// Keeps some ports that answered, over all hosts, and says which to ask again. One that is closed is asked
// fifty times a second at most; one that is open, where somebody is woken by it, four times.
class SynChecks {
 public:
  // `timeout`: for an answer, at most.
  explicit SynChecks(Duration timeout) : timeout_(timeout) {}

  // The pair `index` has answered, after `rtt` where that is known.
  void add(std::uint64_t index, const IpAddress& address, std::uint16_t port, bool open,
           std::optional<Duration> rtt, TimePoint when);

  struct Check {
    IpAddress address;
    std::uint16_t port = 0;
  };
  // One to ask now, which counts as sent; nullopt when none may be.
  [[nodiscard]] std::optional<Check> next(TimePoint when);
  // An answer of the pair, which may be to its check.
  void answered(std::uint64_t index, TimePoint at);

  struct Outcome {
    bool lost = false;
    TimePoint sent;
  };
  // How the next check ended, in the order in which they were sent: answers are known at once and losses only
  // after a while, and whoever judged by what is known would see no loss. nullopt while it has not ended.
  [[nodiscard]] std::optional<Outcome> take_outcome(TimePoint when);
  [[nodiscard]] bool under_way() const { return !waiting_.empty(); }
  // When take_outcome() has one at the latest; nullopt while no check is under way.
  [[nodiscard]] std::optional<TimePoint> next_end() const;

  // Up to `most` of the pairs that are kept, for another process to go on with.
  [[nodiscard]] std::vector<SynProgress::Known> known(std::size_t most) const;

 private:
  static constexpr std::size_t kMost = 1024;
  struct Port {
    std::uint64_t index = 0;
    IpAddress address;
    std::uint16_t number = 0;
    bool open = false;
    RttEstimator rtt;
    TimePoint not_before;
    bool waiting = false;
    std::uint64_t serial = 0;  // of its check
    TimePoint sent;
  };
  struct Waiting {
    TimePoint until;
    std::size_t place;
    TimePoint sent;
    bool answered = false;
  };

  Duration timeout_;
  std::vector<Port> ports_;
  std::unordered_map<std::uint64_t, std::size_t> places_;  // by index
  std::deque<Waiting> waiting_;                            // in the order of sending
  std::uint64_t first_serial_ = 0;                         // of waiting_
  std::uint64_t seen_ = 0;
  std::minstd_rand chance_{1};
};

}  // namespace pier
