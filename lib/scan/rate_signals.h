// SIGUSR1 and SIGUSR2 as a wish for twice and half the rate.
#pragma once

#include "base/error.h"
#include "base/fd.h"

namespace pier {

// From here on the two signals are blocked and readable on fd() (signalfd(2)). Make it before any thread.
class RateSignals {
 public:
  [[nodiscard]] static Result<RateSignals> catch_signals();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // How often to double since the last call, less how often to halve. Never waits.
  [[nodiscard]] int take();

 private:
  explicit RateSignals(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace pier
