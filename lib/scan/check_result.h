// What --check found out about one endpoint: a plain value.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"
#include "net/endpoint.h"

namespace pier {

enum class CheckState : unsigned char {
  open,
  closed,         // the answer was no
  filtered,       // no answer, or one that says the question did not arrive
  open_filtered,  // datagrams: silence, which may be either
  fault,          // of this host, or a name that does not resolve: nothing is known of the port
};

// "open", "closed", "filtered", "open|filtered", "error".
[[nodiscard]] constexpr std::string_view to_string(CheckState state) {
  switch (state) {
    case CheckState::open:
      return "open";
    case CheckState::closed:
      return "closed";
    case CheckState::filtered:
      return "filtered";
    case CheckState::open_filtered:
      return "open|filtered";
    case CheckState::fault:
      break;
  }
  return "error";
}

struct CheckResult {
  Endpoint endpoint;
  std::optional<SocketAddress> address;  // the one that decided it
  CheckState state = CheckState::fault;
  std::string reason;          // "syn-ack", "refused", "no answer"
  Duration rtt{};              // from the first packet to the answer, or as long as was waited
  std::optional<Error> error;  // unless open; its kind gives the exit code
};

}  // namespace pier
