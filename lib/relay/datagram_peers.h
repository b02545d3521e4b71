// The peers of datagram sockets: found by address in one step, and ordered by who has been silent the
// longest.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "net/address.h"
#include "net/datagram.h"

namespace pier {

// How many peers a server knows at once, where nothing narrower holds: what a flood of made-up senders costs
// is bounded so.
inline constexpr std::size_t kMostDatagramPeers = 4096;
// After such a silence a peer of many is forgotten: RFC 4787 (REQ-5) asks it of NATs as the least.
inline constexpr Duration kDatagramIdle = std::chrono::minutes(2);

[[nodiscard]] inline Error datagrams_idle(Duration idle) {
  return {ErrorKind::deadline, "idle", "", 0, "no datagram either way for " + format_duration(idle)};
}

// A peer is who writes from one address to one of ours: who writes to two of them is answered from two.
struct DatagramPeerKey {
  std::size_t socket = 0;  // its index
  SocketAddress peer;
  SocketAddress local;

  friend bool operator==(const DatagramPeerKey&, const DatagramPeerKey&) = default;
};

struct DatagramPeerHash {
  std::size_t operator()(const DatagramPeerKey& key) const {
    const auto hash = [](const SocketAddress& address) {
      return std::hash<std::string_view>()({reinterpret_cast<const char*>(address.data()), address.size()});
    };
    return (hash(key.peer) * 31 + hash(key.local)) * 31 + key.socket;
  }
};

// Owns its peers. `Peer` has the members `DatagramPeerKey key` and `TimePoint last_activity`. Each step takes
// constant time.
template <class Peer>
class DatagramPeers {
 public:
  [[nodiscard]] Peer* find(const DatagramPeerKey& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second->get();
  }
  // Its key must be new.
  Peer& add(std::unique_ptr<Peer> peer) {
    Peer& added = *peer;
    order_.push_back(std::move(peer));
    by_key_.emplace(added.key, std::prev(order_.end()));
    return added;
  }
  // It has just been heard of.
  void touch(Peer& peer) {
    peer.last_activity = now();
    order_.splice(order_.end(), order_, by_key_.find(peer.key)->second);
  }
  [[nodiscard]] std::unique_ptr<Peer> take(Peer& peer) {
    const auto found = by_key_.find(peer.key);
    std::unique_ptr<Peer> taken = std::move(*found->second);
    order_.erase(found->second);
    by_key_.erase(found);
    return taken;
  }
  // Who has been silent the longest; nullptr where there is nobody.
  [[nodiscard]] Peer* oldest() const { return order_.empty() ? nullptr : order_.front().get(); }
  // Gives each who has been silent for `idle` to `end`, which must take it away; the deadline of the next.
  template <class End>
  [[nodiscard]] Deadline expire(Duration idle, End end) {
    while (Peer* const peer = oldest()) {
      const Deadline deadline(peer->last_activity + idle);
      if (!deadline.passed()) return deadline;
      end(*peer);
    }
    return {};
  }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] bool empty() const { return order_.empty(); }
  [[nodiscard]] auto begin() const { return order_.begin(); }
  [[nodiscard]] auto end() const { return order_.end(); }

 private:
  using Order = std::list<std::unique_ptr<Peer>>;
  Order order_;
  std::unordered_map<DatagramPeerKey, typename Order::iterator, DatagramPeerHash> by_key_;
};

}  // namespace pier
