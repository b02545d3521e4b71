#include "relay/client_limits.h"

namespace pier {

bool ClientCounts::enter() {
  const std::lock_guard lock(mutex_);
  if (limits_.clients && clients_ >= *limits_.clients) return false;
  ++clients_;
  return true;
}

void ClientCounts::leave() {
  const std::lock_guard lock(mutex_);
  --clients_;
}

bool ClientCounts::enter_host(const SocketAddress& client) {
  if (!limits_.per_host || !client.is_ip()) return true;
  const std::lock_guard lock(mutex_);
  std::size_t& count = hosts_[client.ip().unmapped()];
  if (count >= *limits_.per_host) return false;
  ++count;
  return true;
}

void ClientCounts::leave_host(const SocketAddress& client) {
  if (!limits_.per_host || !client.is_ip()) return;
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(client.ip().unmapped());
  if (found != hosts_.end() && --found->second == 0) hosts_.erase(found);
}

std::size_t ClientCounts::clients() const {
  const std::lock_guard lock(mutex_);
  return clients_;
}

std::uint64_t ClientCounts::next_number() {
  const std::lock_guard lock(mutex_);
  return ++numbers_;
}

void ClientCounts::count_over_limit() {
  const std::lock_guard lock(mutex_);
  ++over_limits_;
}

std::uint64_t ClientCounts::over_limits() const {
  const std::lock_guard lock(mutex_);
  return over_limits_;
}

}  // namespace pier
