// What is often found on a port, whatever the registry says: the defaults of widespread software, each with
// the document of its maker. Kept apart from the registry, because such a use is a habit, not an assignment.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ports/protocol.h"

namespace pier {

// Texts are arrays, not pointers, so that the table needs no relocation when a program starts.
struct CommonUse {
  std::uint16_t port;
  PortProtocols protocols;
  char what[44];    // "Kubernetes API server"
  char source[56];  // whose document, and its title
  // The document was read and says so. Where not, `source` is where to look it up, and this the defaults'
  // common reputation.
  bool confirmed = false;
};

// All rows, by ascending port.
[[nodiscard]] std::span<const CommonUse> common_uses();
// The rows of one port on one transport, in the table's order.
[[nodiscard]] std::vector<const CommonUse*> common_uses_of(PortProtocol protocol, std::uint16_t port);

}  // namespace pier
