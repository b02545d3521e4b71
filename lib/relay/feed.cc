#include "relay/feed.h"

#include <fmt/core.h>

namespace pier {
namespace {

constexpr int kRoundsPerEvent = 8;

}  // namespace

Result<bool> Feed::advance() {
  pump_.output_ready();
  for (int round = 0; round < kRoundsPerEvent; ++round) {
    if (pump_.wants_output()) {
      const Io io = pump_.drain();
      if (io.kind == Io::Kind::error)
        return fail(
            ErrorKind::failed, "send", "",
            fmt::format("{}: {} B were not accepted by the kernel", to_.error_text(io.code), pump_.left()));
      if (pump_.wants_output()) return false;
    }
    if (ended_) return true;
    const Io io = pump_.fill();
    if (io.kind == Io::Kind::error) return system_error("read", "", io.code, ErrorKind::local);
    if (io.kind == Io::Kind::end) ended_ = true;
  }
  return false;
}

}  // namespace pier
