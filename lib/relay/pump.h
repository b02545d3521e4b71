// One direction of a relay: bytes read from one stream, through a bounded queue, into another.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "stream/filters.h"
#include "stream/stream.h"

namespace pier {

// A pump reads only while its queue has room, so a slow reader on one side holds up the sender on the other,
// and nothing is dropped.
class Pump {
 public:
  // What is read at most before it must be written on. A pipe holds 64 KiB and a loopback segment as much;
  // larger reads gained nothing more beyond four of them.
  static constexpr std::size_t kCapacity = 256 * 1024;

  // Neither stream is owned; both must outlive the pump. `crlf` turns each LF into CR LF on the way.
  Pump(Stream& from, Stream& to, bool crlf = false);

  // One read into the queue. Io::again also when the queue has no room.
  Io fill();
  // Writes as much of the queue as the stream takes now. Io::bytes when anything moved, Io::again when
  // nothing could.
  Io drain();

  [[nodiscard]] bool has_room() const { return queue_.free() >= kLeastRead; }
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] std::uint64_t read_total() const { return read_; }        // bytes, before any filter
  [[nodiscard]] std::uint64_t written_total() const { return written_; }  // bytes, after it

 private:
  // Below this much room a read would be too small to be worth a system call.
  static constexpr std::size_t kLeastRead = 16 * 1024;

  Stream& from_;
  Stream& to_;
  std::optional<CrlfFilter> crlf_;
  std::vector<std::byte> raw_;       // what was read, before the filter
  std::vector<std::byte> filtered_;  // and after it
  ByteQueue queue_{kCapacity};
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace pier
