// What kind of thing a descriptor is: how it ends, whether it can block, and by which calls the kernel may
// move its bytes.
#pragma once

#include <cstdint>
#include <optional>

namespace pier {

enum class FdKind : unsigned char { regular, null_device, terminal, pipe, socket, other };

// By fstat(2). `other` for -1, a directory, and devices that are neither null(4) nor a terminal.
[[nodiscard]] FdKind fd_kind(int fd);

// A descriptor that the kernel may move bytes from or to by itself, by sendfile(2) or splice(2). Empty where
// something stands between the bytes and the descriptor (TLS), or where such a call could block.
struct RawEnd {
  int fd = -1;
  FdKind kind = FdKind::other;

  [[nodiscard]] bool valid() const { return fd >= 0; }
};

// How many bytes a descriptor still has to give, where the kernel tells: the rest of a regular file from its
// offset on, and what waits in a pipe (FIONREAD).
[[nodiscard]] std::optional<std::uint64_t> bytes_waiting(const RawEnd& end);

}  // namespace pier
