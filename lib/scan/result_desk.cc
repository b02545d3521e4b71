#include "scan/result_desk.h"

#include <utility>

namespace pier {
namespace {

// A result that says of the host that it is there, and not in whose name: ICMP may come from a router.
bool is_of_host(PortState state) {
  return state == PortState::open || state == PortState::closed;
}

}  // namespace

bool ResultDesk::take(HostState& host, PortResult result) {
  if (is_of_host(result.state) && !host.up) {
    host.up = true;
    ++stats_.hosts_up;
  }
  if (result.state != PortState::open || result.protocol != PortProtocol::tcp)
    return pass_on(host, std::move(result));
  ++host.open;
  const bool crowded = max_open_ && host.open > *max_open_;
  if (max_open_ || host.canary == CanaryState::asked) {
    // Of a crowd only the number matters.
    if (!crowded) host.held.push_back(std::move(result));
    return true;
  }
  return pass_on(host, std::move(result));
}

bool ResultDesk::canaries_known(HostState& host) {
  if (host.canary == CanaryState::suspect) ++stats_.suspects;
  return max_open_ || release(host);
}

bool ResultDesk::finish(HostState& host) {
  if (!max_open_ || host.open <= *max_open_) return release(host);
  host.held.clear();
  const bool suspect = host.canary == CanaryState::suspect;
  const std::uint64_t open = std::exchange(host.open, 0);
  stats_.states[static_cast<std::size_t>(suspect ? PortState::suspect : PortState::open)] += open;
  return observer_.crowded({host.address, host.protocol, open, suspect});
}

bool ResultDesk::release(HostState& host) {
  for (PortResult& result : std::exchange(host.held, {}))
    if (!pass_on(host, std::move(result))) return false;
  return true;
}

bool ResultDesk::pass_on(const HostState& host, PortResult result) {
  if (result.state == PortState::open && host.canary == CanaryState::suspect) {
    result.state = PortState::suspect;
    result.reason += ", as on ports where nobody should listen";
  }
  ++stats_.states[static_cast<std::size_t>(result.state)];
  if (keep_) {
    kept_.push_back(std::move(result));
    return true;
  }
  return observer_.result(result);
}

bool ResultDesk::pass_kept() {
  for (const PortResult& result : std::exchange(kept_, {}))
    if (!observer_.result(result)) return false;
  return true;
}

}  // namespace pier
