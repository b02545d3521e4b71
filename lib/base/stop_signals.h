// SIGINT and SIGTERM for a program without an event loop: something to look at between two steps, so that the
// last record of a stream can still be written.
#pragma once

#include "base/fd.h"

namespace pier {

class StopSignals {
 public:
  // While `wanted`, the two signals are blocked and kept here (signalfd(2)); otherwise they end the program
  // as usual.
  explicit StopSignals(bool wanted);

  // The first signal that came, or 0. Does not wait.
  [[nodiscard]] int seen();
  // Waits until `fd` can be read or a signal has come; false for the signal.
  [[nodiscard]] bool wait_readable(int fd);

 private:
  Fd fd_;
  int signal_ = 0;
};

}  // namespace pier
