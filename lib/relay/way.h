// By which system calls one direction of a relay moves its bytes.
//
// Measured over loopback on one machine with 2 cores, against read(2) and write(2) of 16 KiB as nc does it:
// sendfile from the page cache costs a third of the time and a third of the processor, splice from a socket
// to a file is as fast as cp, and splice between pipe and socket copies nothing at all (tests/bench).
#pragma once

#include <string>
#include <string_view>

#include "stream/fd_kind.h"

namespace pier {

enum class Way : unsigned char {
  copy,            // read(2) and write(2) through a buffer: always possible
  sendfile,        // sendfile(2), from a regular file to a socket
  splice,          // splice(2), where one end is a pipe
  splice_through,  // splice(2) into a pipe of our own, and from there on
};

// The fastest way from one kind of descriptor to another. `seen`: the bytes must pass through this process,
// because a filter changes them or a tap looks at them.
[[nodiscard]] constexpr Way choose_way(FdKind from, FdKind to, bool seen) {
  // A terminal is slow and half of what it takes or gives is its line discipline's; what an `other` is nobody
  // knows.
  const auto can_splice = [](FdKind kind) {
    return kind == FdKind::pipe || kind == FdKind::socket || kind == FdKind::regular;
  };
  if (seen || !can_splice(from) || !(can_splice(to) || to == FdKind::null_device)) return Way::copy;
  if (from == FdKind::pipe || to == FdKind::pipe) return Way::splice;
  if (from == FdKind::regular) return to == FdKind::socket ? Way::sendfile : Way::copy;
  return Way::splice_through;
}

// One call takes from the source and gives to the destination: nothing is ever in hand.
[[nodiscard]] constexpr bool is_straight(Way way) {
  return way == Way::sendfile || way == Way::splice;
}

// The system call: "sendfile", "splice", "read".
[[nodiscard]] constexpr std::string_view call_name(Way way) {
  switch (way) {
    case Way::sendfile:
      return "sendfile";
    case Way::splice:
    case Way::splice_through:
      return "splice";
    case Way::copy:
      break;
  }
  return "read";
}

// For people, of the two ends' names: "data.bin (a file) to the socket: moved by the kernel".
[[nodiscard]] std::string describe(Way way, std::string_view from, FdKind from_kind, std::string_view to,
                                   FdKind to_kind);

}  // namespace pier
