// One direction of a relay: bytes from one stream into another, by the fastest way there is between the two,
// or through a bounded queue.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "relay/transfer.h"
#include "relay/way.h"
#include "stream/filters.h"
#include "stream/stream.h"

namespace pier {

// Sees bytes on their way, as the network has them (after any filter), in order and each once.
using Tap = std::function<void(std::span<const std::byte>)>;

struct PumpOptions {
  bool crlf = false;  // each LF becomes CR LF
  Tap tap = {};       // called as bytes come into hand
  // Called when the kernel refuses the way chosen at first, with its errno; from there on bytes are copied.
  std::function<void(Way, int)> fell_back = {};
};

// A pump takes from its source only while it has room, so a slow reader on one side holds up the sender on
// the other, and nothing is dropped. What the kernel moves by itself never is in hand: a file is then read as
// its destination takes it, so what it holds is sent as it is at that moment, up to where it ends at that
// moment, as by cat(1).
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
  // To be called before drain() when the destination's descriptor has become ready.
  void output_ready() {
    if (transfer_) transfer_->output_ready();
  }

  // More could be taken once the source has it.
  [[nodiscard]] bool wants_input() const {
    return transfer_ ? transfer_->wants_input() : queue_.free() >= kLeastRead;
  }
  // Something waits until the destination takes more.
  [[nodiscard]] bool wants_output() const {
    return !queue_.empty() || (transfer_ && transfer_->wants_output());
  }
  // The last fill() took all that the source had: waiting for more is better than asking again.
  [[nodiscard]] bool source_drained() const { return drained_; }

  // Bytes taken but not yet given.
  [[nodiscard]] std::size_t in_hand() const { return queue_.size() + (transfer_ ? transfer_->in_hand() : 0); }
  // Those, and what the source is known to hold still: the rest of a file, what waits in a pipe.
  [[nodiscard]] std::uint64_t left() const;
  [[nodiscard]] Way way() const { return transfer_ ? transfer_->way() : Way::copy; }
  [[nodiscard]] std::uint64_t read_total() const { return read_; }        // bytes, before any filter
  [[nodiscard]] std::uint64_t written_total() const { return written_; }  // bytes, after it

 private:
  // Below this much room a read would be too small to be worth a system call.
  static constexpr std::size_t kLeastRead = 16 * 1024;

  Io copy(std::size_t limit);
  Io copy_filtered(std::size_t limit);
  bool refused();
  void take_back();
  void note_drained(const Io& io, std::size_t asked);

  Stream& from_;
  Stream& to_;
  std::optional<CrlfFilter> crlf_;
  Tap tap_;
  std::function<void(Way, int)> fell_back_;
  std::optional<Transfer> transfer_;  // while the kernel moves the bytes, or still holds some
  std::vector<std::byte> raw_;        // what was read, before the filter
  std::vector<std::byte> filtered_;   // and after it
  ByteQueue queue_{kCapacity};
  bool drained_ = false;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace pier
