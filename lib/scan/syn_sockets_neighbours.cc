// Neighbours on the same link: asked for by ourselves, since the kernel's table is too small for a large
// network, and drops packets to those that find no room in it.
#include <algorithm>
#include <cerrno>

#include "scan/syn_sockets.h"

namespace pier {
namespace {

// Of a link-local address, the interface tells the zone.
IpAddress address_of(const NeighbourKey& key) {
  if (!key.address.is_link_local()) return key.address;
  return {Family::ipv6, key.address.bytes(), key.interface};
}

NeighbourKey key_of(unsigned interface, const IpAddress& address) {
  if (address.zone() == 0) return {interface, address};
  return {interface, IpAddress(address.family(), address.bytes())};
}

}  // namespace

std::optional<MacAddress> SynSockets::find_on_link(const Way& way, const SynProbe& probe) {
  const NeighbourKey key = key_of(way.interface, probe.address);
  if (const auto known = neighbours_.find(key, now_)) return known;
  if (!neighbours_.is_awaited(key)) {
    if (const auto kernel = ways_.kernel_neighbour(key)) {
      neighbours_.learn(key, kernel->address, kernel->permanent);
      return kernel->address;
    }
  }
  neighbours_.hold(key, {probe.tag, probe.port, static_cast<std::uint8_t>(probe.lane)}, now_);
  return std::nullopt;
}

SynWire::Resumed SynSockets::resume(std::size_t most, std::vector<SynFault>& faults) {
  now_ = now();
  neighbours_.expire(now_, unsent_);
  Resumed resumed;
  while (resumed.packets < most && sender_.room() > 0) {
    const auto ready = neighbours_.take_ready();
    if (!ready) break;
    const auto& [key, held] = *ready;
    queue({.tag = held.tag, .address = address_of(key), .port = held.port, .lane = held.lane}, faults);
    ++resumed.packets;
    resumed.probes.push_back(held.tag);
  }
  while (resumed.packets < most) {
    const NeighbourKey* again = neighbours_.again(now_);
    if (again == nullptr || !ask(NeighbourKey(*again), faults)) break;
    ++resumed.packets;
  }
  return resumed;
}

bool SynSockets::ask_first(std::vector<SynFault>& faults) {
  while (const NeighbourKey* first = neighbours_.first())
    if (!ask(NeighbourKey(*first), faults)) return false;
  return true;
}

bool SynSockets::ask(const NeighbourKey& key, std::vector<SynFault>& faults) {
  const IpAddress address = address_of(key);
  const Way& way = ways_.to(address);
  const auto asker = std::ranges::find(askers_, address.family(), &NeighbourSocket::family);
  if (!way.ethernet || !way.on_link || way.interface != key.interface || asker == askers_.end()) {
    // The route has changed meanwhile: the next round goes the new one.
    for (const std::uint64_t tag : neighbours_.give_up(key)) unsent_.push_back(tag);
    return true;
  }
  const int code =
      asker->send(way.interface, write_neighbour_request(way.ethernet->address, way.source, key.address));
  if (code == ENOBUFS || code == EAGAIN || code == ENOMEM) {
    stuck_interface_ = way.interface;
    return false;
  }
  if (code == 0) {
    stuck_since_.reset();
    neighbours_.asked(key, now_);
    return true;
  }
  note_failure(way.interface, code);
  for (const std::uint64_t tag : neighbours_.give_up(key)) faults.push_back({tag, code});
  return true;
}

void SynSockets::take_neighbours() {
  for (NeighbourSocket& asker : askers_)
    asker.take([&](unsigned interface, const NeighbourReply& reply) {
      const NeighbourKey key{interface, reply.target};
      if (!neighbours_.awaits_reply(key, now())) return;
      if (reply.asked_by == ways_.to(address_of(key)).source) neighbours_.told(key, reply.mac);
    });
}

void SynSockets::follow_changes() {
  const Ways::Changes changes = ways_.follow_changes();
  for (const NeighbourKey& key : changes.neighbours) neighbours_.forget_fixed(key, now());
  if (changes.ways) neighbours_.forget_all(now());
}

}  // namespace pier
