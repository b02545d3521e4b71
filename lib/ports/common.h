// The ports worth asking first: where servers are commonly found. `pier-scan` tries these by default.
#pragma once

#include "ports/port_set.h"

namespace pier {

// The curated list for tcp and for udp, each transport with its own.
[[nodiscard]] PortSet common_ports();

}  // namespace pier
