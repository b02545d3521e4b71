// A stream on its way to one client of many, from its beginning to its end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/error.h"
#include "relay/pump.h"
#include "stream/stream.h"

namespace pier {

class Feed {
 public:
  // Owns the source, which must never make wait (a regular file). `to` is not owned.
  Feed(std::unique_ptr<Stream> source, Stream& to, PumpOptions options)
      : source_(std::move(source)), to_(to), pump_(*source_, to, std::move(options)) {}

  // Moves as much as the client takes now, but not so much that others wait. True when all of it is with the
  // client's kernel; an error names who failed. To be called again when the client can be written to.
  [[nodiscard]] Result<bool> advance();
  [[nodiscard]] std::uint64_t sent() const { return pump_.written_total(); }

 private:
  std::unique_ptr<Stream> source_;
  Stream& to_;
  Pump pump_;
  bool ended_ = false;
};

}  // namespace pier
