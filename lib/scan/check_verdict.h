// What the end of an attempt to reach one endpoint says about it: pure functions.
#pragma once

#include <optional>
#include <string>

#include "event/connector.h"
#include "net/icmp_error.h"
#include "scan/check_result.h"

namespace pier {

struct CheckVerdict {
  CheckState state = CheckState::fault;
  std::string reason;
};

// Of an attempt to connect. An ICMP error of any code is `filtered`, for TCP port unreachable too: it is a
// firewall's answer, not the port's. A connection reset as soon as it was made is `open`: somebody accepted.
[[nodiscard]] CheckVerdict verdict_of(const Attempt& attempt, Transport transport);

// Of an error on a connected UDP socket that had sent something. Only port unreachable is `closed`.
[[nodiscard]] CheckVerdict datagram_verdict(int code, const std::optional<IcmpError>& icmp);

// The attempt that says most about an endpoint with several addresses: a connection, then a refusal, then
// what was tried first; nullptr where all are faults of this host.
[[nodiscard]] const Attempt* most_telling(const std::vector<Attempt>& attempts, Transport transport);

}  // namespace pier
