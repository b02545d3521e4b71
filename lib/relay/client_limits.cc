#include "relay/client_limits.h"

namespace pier {

bool HostCounts::enter(const SocketAddress& client) {
  if (!per_host_ || !client.is_ip()) return true;
  std::size_t& count = counts_[client.ip().unmapped()];
  if (count >= *per_host_) return false;
  ++count;
  return true;
}

void HostCounts::leave(const SocketAddress& client) {
  if (!per_host_ || !client.is_ip()) return;
  const auto found = counts_.find(client.ip().unmapped());
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}  // namespace pier
