// The signals that end a run which goes on until it is told to stop.
#pragma once

#include <csignal>
#include <optional>

#include "base/clock.h"

namespace pier::whoami {

// SIGINT, SIGTERM and SIGHUP are taken from a queue from now on, so that the summary is the last record
// whenever they come.
class EndingSignals {
 public:
  EndingSignals();
  // Waits for one of them, at most as long as given. nullopt when none has come by then.
  [[nodiscard]] std::optional<int> wait(std::optional<Duration> longest = std::nullopt) const;

 private:
  sigset_t set_{};
};

}  // namespace pier::whoami
