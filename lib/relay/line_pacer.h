// An input given on line by line, with a pause after each: for a peer that can't take them faster.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "event/loop.h"
#include "stream/stream.h"

namespace pier {

class LinePacer {
 public:
  // `from` is not owned, and only read.
  LinePacer(Loop& loop, Stream& from, Duration pause) : loop_(loop), from_(from), pause_(pause) {}
  LinePacer(const LinePacer&) = delete;
  LinePacer& operator=(const LinePacer&) = delete;

  // Once. ErrorKind::local where there is no pipe for it.
  [[nodiscard]] Result<void> start();

  // What to read in place of the input: each line whole, if it fits into a pipe's 64 KiB, and then its end.
  // An input that fails ends there; failure() then says why.
  [[nodiscard]] int fd() const { return out_.get(); }
  [[nodiscard]] int failure() const { return failure_; }  // errno or 0

 private:
  void take();
  void give();
  void wait();

  Loop& loop_;
  Stream& from_;
  Duration pause_;
  Fd out_, in_;  // a pipe's ends: read from, written to
  Watch input_watch_, pipe_watch_;
  Timer timer_;
  std::string text_;      // read, and not yet given
  std::size_t line_ = 0;  // of it: what is still to give of the line that has been begun
  bool ended_ = false;
  int failure_ = 0;
};

}  // namespace pier
