// One direction of a relay: bytes read from one stream, through a bounded queue, into another.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "stream/filters.h"
#include "stream/stream.h"

namespace pier {

// Sees bytes on their way, as the network has them (after any filter), in order and each once.
using Tap = std::function<void(std::span<const std::byte>)>;

struct PumpOptions {
  bool crlf = false;  // each LF becomes CR LF
  Tap tap;            // called as bytes come into hand
};

// A pump takes from its source only while it has room, so a slow reader on one side holds up the sender on
// the other, and nothing is dropped.
class Pump {
 public:
  // What is read at most before it must be written on. A pipe holds 64 KiB and a loopback segment as much;
  // larger reads gained nothing more beyond four of them.
  static constexpr std::size_t kCapacity = 256 * 1024;
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

  // Neither stream is owned; both must outlive the pump.
  Pump(Stream& from, Stream& to, PumpOptions options = {});

  // Takes at most `limit` bytes (at least 1) from the source, by one call; they are then in hand, or already
  // with the destination. Io::again also when there is no room: wants_input() and wants_output() say what to
  // wait for. An end or an error is the source's. drain() is to be called after each fill().
  Io fill(std::size_t limit = kNoLimit);
  // Gives what is in hand to the destination, as much as it takes now. Io::bytes when anything moved,
  // Io::again when nothing could; an error is the destination's.
  Io drain();

  // More could be taken once the source has it.
  [[nodiscard]] bool wants_input() const { return queue_.free() >= kLeastRead; }
  // Something waits until the destination takes more.
  [[nodiscard]] bool wants_output() const { return !queue_.empty(); }

  [[nodiscard]] std::size_t in_hand() const { return queue_.size(); }     // bytes taken but not yet given
  [[nodiscard]] std::uint64_t read_total() const { return read_; }        // bytes, before any filter
  [[nodiscard]] std::uint64_t written_total() const { return written_; }  // bytes, after it

 private:
  // Below this much room a read would be too small to be worth a system call.
  static constexpr std::size_t kLeastRead = 16 * 1024;

  Io fill_filtered(std::size_t limit);

  Stream& from_;
  Stream& to_;
  std::optional<CrlfFilter> crlf_;
  Tap tap_;
  std::vector<std::byte> raw_;       // what was read, before the filter
  std::vector<std::byte> filtered_;  // and after it
  ByteQueue queue_{kCapacity};
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace pier
