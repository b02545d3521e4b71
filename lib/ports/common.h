// The ports worth asking first: where servers are commonly found. `pier-scan` tries these by default.
#pragma once

#include "ports/port_set.h"

namespace pier {

// How many lists there are: each has the one before it, the last has all.
inline constexpr int kCommonTiers = 3;

// The curated list for tcp and for udp, each transport with its own. Tier 1 is what nearly every look at a
// host asks first, about twenty ports of TCP; tier 2 is three times as many.
[[nodiscard]] PortSet common_ports(int tier = kCommonTiers);

}  // namespace pier
