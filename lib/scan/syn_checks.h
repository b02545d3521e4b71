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
  // An answer of the pair. When its check was sent, if one is under way.
  [[nodiscard]] std::optional<TimePoint> answered(std::uint64_t index, TimePoint at);
  // A check whose time is over, or nullopt: when it was sent.
  [[nodiscard]] std::optional<TimePoint> take_lost(TimePoint when);
  // When take_lost() may have one; nullopt while no check is under way.
  [[nodiscard]] std::optional<TimePoint> next_end() const;

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
    TimePoint sent;
  };
  struct Waiting {
    TimePoint until;
    std::size_t place;
    TimePoint sent;
  };

  Duration timeout_;
  std::vector<Port> ports_;
  std::unordered_map<std::uint64_t, std::size_t> places_;  // by index
  std::deque<Waiting> waiting_;                            // in the order of sending
  std::uint64_t seen_ = 0;
  std::minstd_rand chance_{1};
};

}  // namespace pier
