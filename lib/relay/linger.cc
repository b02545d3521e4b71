#include "relay/linger.h"

#include <algorithm>

namespace pier {

Linger::Linger(Loop& loop, Stream& stream, std::function<void(int)> done)
    : loop_(loop), stream_(stream), done_(std::move(done)) {
  timer_ = loop_.timer(Deadline(now()), [this] { look(); });
}

void Linger::look() {
  const int code = stream_.take_failure();
  stream_.discard_input();
  if (code == 0 && stream_.unacknowledged() != 0) {
    timer_ = loop_.timer(Deadline(now() + wait_), [this] { look(); });
    wait_ = std::min(wait_ * 2, kLastWait);
    return;
  }
  const auto done = std::move(done_);  // the callback may destroy this
  done(code);
}

}  // namespace pier
