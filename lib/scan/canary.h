// Ports where nobody should listen: a host that is open there too is open everywhere, or seems so.
#pragma once

#include <array>
#include <cstdint>

#include "scan/plan.h"

namespace pier {

// Two different ones of the dynamic range (RFC 6335), which no service is assigned to, by chance but the same
// for the same seed and host; such as the plan does not ask, where there are any. Tarpits and SYN proxies
// answer on both; two real listeners there are a chance of a few in a billion.
[[nodiscard]] std::array<std::uint16_t, 2> canary_ports(const ProbePlan& plan, std::uint64_t host_index,
                                                        std::uint64_t seed);

}  // namespace pier
