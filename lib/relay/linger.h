// The end of a stream that has been sent to its last byte: waiting until the peer's kernel has all of it.
#pragma once

#include <functional>

#include "event/loop.h"
#include "stream/stream.h"

namespace pier {

// Watches a stream whose sending side has been ended, throws away what still arrives, and calls back once
// when nothing is unacknowledged any more (with 0), or with the errno of a connection that failed before.
// Never from inside the constructor; destroying it cancels. The stream is not owned. Whoever wants to end it
// earlier does so by a timer of their own.
//
// Closing at once instead would lose bytes: a TCP socket closed with unread input sends a reset, and a reset
// takes what is on its way to the peer with it.
class Linger {
 public:
  Linger(Loop& loop, Stream& stream, std::function<void(int code)> done);

 private:
  void look();

  // The kernel has no event for "acknowledged", so the look is repeated, at distances that grow from the
  // first to the last of these.
  static constexpr Duration kFirstWait = std::chrono::milliseconds(1);
  static constexpr Duration kLastWait = std::chrono::milliseconds(20);

  Loop& loop_;
  Stream& stream_;
  std::function<void(int)> done_;
  Duration wait_ = kFirstWait;
  Timer timer_;
};

}  // namespace pier
