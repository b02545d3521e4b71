// Bytes moved between two descriptors by the kernel itself: what a Pump uses where it can.
#pragma once

#include <cstddef>
#include <span>

#include "base/fd.h"
#include "relay/way.h"
#include "stream/stream.h"

namespace pier {

// Every call either moves bytes or says on which end to wait. The kernel may refuse a way at any time
// (a file opened for appending, a file system without it, a system call filter): refused() then says why,
// nothing has been lost, and what is in hand is read back with take_back().
class Transfer {
 public:
  // What one call moves at most: beyond this nothing is gained, and the loop has others to look after.
  static constexpr std::size_t kChunk = std::size_t{1} << 20;
  // What pipes are asked to hold; pipe(7) may give less, which only costs calls. Our own: into a file 1 MiB
  // is a fifth faster than 256 KiB, with nothing gained beyond; on the way to null(4) it is not.
  static constexpr int kPipe = 1 << 20;
  static constexpr int kPipeToNull = 256 * 1024;
  // Those that are stdin or stdout, after the first kChunk. Every user may have 64 MiB of pipes.
  static constexpr int kPipeOfOthers = 256 * 1024;

  // SIGPIPE must be ignored: these calls have no flag against it. `way` is not Way::copy; both ends are
  // valid, stay open as long as this, and do not block (pipes may).
  Transfer(Way way, const RawEnd& from, const RawEnd& to);

  // As Pump::fill() and Pump::drain(). When a straight way meets a destination that has failed, fill() says
  // Io::again and drain() gives the error.
  Io fill(std::size_t limit);
  Io drain();
  void output_ready() { output_blocked_ = false; }

  [[nodiscard]] bool wants_input() const { return refused_ == 0 && !wants_output(); }
  [[nodiscard]] bool wants_output() const { return held_ > 0 || output_blocked_ || output_error_ != 0; }
  [[nodiscard]] std::size_t in_hand() const { return held_; }
  [[nodiscard]] Way way() const { return way_; }
  // The last fill() took so little that the source has nothing more just now, as far as one can tell.
  [[nodiscard]] bool source_drained() const { return drained_; }

  // Why the kernel does not want to move bytes this way, an errno; 0 as long as it does.
  [[nodiscard]] int refused() const { return refused_; }
  // Reads what is in hand, oldest first, as much as there is room for; says how much.
  std::size_t take_back(std::span<std::byte> into);

 private:
  Io move_straight(std::size_t limit);
  Io fill_own_pipe(std::size_t limit);
  ssize_t move(std::size_t size);
  [[nodiscard]] bool took_all(std::size_t count, std::size_t asked) const;
  Io ended();
  Io failed(int code);
  bool open_own_pipe();
  void widen_pipes(std::size_t moved);

  Way way_;
  RawEnd from_;
  RawEnd to_;
  Fd own_out_, own_in_;       // our pipe's ends: read from, written to
  std::size_t own_size_ = 0;  // what it holds
  std::size_t held_ = 0;      // bytes in it
  std::size_t rest_ = 0;      // of a regular file, when the relay began
  std::size_t straight_ = 0;  // bytes moved straight, as far as that is counted
  int fruitless_ = 0;         // calls in a row that moved nothing though they should have
  bool output_blocked_ = false;
  bool drained_ = false;
  int output_error_ = 0;
  int refused_ = 0;
};

}  // namespace pier
