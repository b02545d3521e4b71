// SIGINT and SIGTERM as something to wait for, so that what was found is reported before the end.
#pragma once

#include <optional>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

// From here on the two signals are blocked and readable on fd() (signalfd(2)). One that is ignored, as SIGINT
// is under nohup and in background jobs, stays so. Make it before any thread.
class Interrupt {
 public:
  [[nodiscard]] static Result<Interrupt> catch_signals();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The number of a signal that has come, or nullopt; never waits. Which was taken is kept.
  std::optional<int> taken();

 private:
  explicit Interrupt(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
  std::optional<int> signal_;
};

}  // namespace pier
