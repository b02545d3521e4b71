// Ports that probes come from, kept from all other programs while they are in use.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

// Each is bound by a socket that neither listens nor connects: the kernel gives the port to nobody else, and
// answers a SYN-ACK that comes to it with a reset, which frees the other end's half-open connection.
class SourcePorts {
 public:
  // `fixed`, or where that is 0 `count` of the kernel's choice. ErrorKind::local.
  [[nodiscard]] static Result<SourcePorts> reserve(std::uint16_t fixed, std::size_t count);

  [[nodiscard]] std::span<const std::uint16_t> numbers() const { return numbers_; }

 private:
  std::vector<Fd> sockets_;
  std::vector<std::uint16_t> numbers_;
};

}  // namespace pier
