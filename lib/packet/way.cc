#include "packet/way.h"

#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "net/device.h"

namespace pier {
namespace {

// Routes that change all the time, as on a router, are not read again more often.
constexpr Duration kBetweenLoads = std::chrono::seconds(1);
// A neighbour that the kernel is just looking for is asked about again after this, and then twice that.
constexpr Duration kFirstLook = std::chrono::milliseconds(2);
constexpr Duration kLongestPause = std::chrono::seconds(1);
// More neighbours than that are left to the kernel: a /16 on one cable.
constexpr std::size_t kMostNeighbours = 65536;

constexpr std::uint32_t kChanges = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                                   RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_RULE;
constexpr std::uint32_t kRules6 = 1U << (RTNLGRP_IPV6_RULE - 1);

std::uint8_t domain(Family family) {
  return static_cast<std::uint8_t>(domain_of(family));
}

// Where the addresses of a prefix begin, and where those after it do.
void add_ends(std::vector<Uint128>& starts, Family family, ByteView destination, unsigned length) {
  const unsigned bits = family == Family::ipv4 ? 32 : 128;
  if (length == 0 || length > bits) return;
  const Uint128 size = Uint128{1} << (bits - length);
  const auto address = address_from(family, destination);
  if (!address) return;
  const Uint128 first = to_number(*address) & ~(size - 1);
  starts.push_back(first);
  const Uint128 most = family == Family::ipv4 ? Uint128{UINT32_MAX} : ~Uint128{0};
  if (first <= most - size) starts.push_back(first + size);
}

std::optional<unsigned> link_flags(const RouteSocket& socket, unsigned interface, EthernetLink* link,
                                   unsigned* type) {
  ifinfomsg wanted{};
  wanted.ifi_index = static_cast<int>(interface);
  std::optional<unsigned> flags;
  (void)socket.ask(RouteRequest(RTM_GETLINK, 0, wanted), [&](const RouteEntry& entry) {
    const auto info = read_as<ifinfomsg>(entry.body);
    if (!info) return;
    flags = info->ifi_flags;
    if (type != nullptr) *type = info->ifi_type;
    const auto address = find_attribute(entry.attributes<ifinfomsg>(), IFLA_ADDRESS);
    if (link != nullptr && address && address->size() == link->address.size()) {
      link->index = interface;
      std::memcpy(link->address.data(), address->data(), address->size());
    }
  });
  return flags;
}

constexpr unsigned kKnown = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

struct NeighbourEntry {
  NeighbourKey key;
  std::optional<KernelNeighbour> known;
};

std::optional<NeighbourEntry> read_neighbour(const RouteEntry& entry) {
  const auto told = read_as<ndmsg>(entry.body);
  const ByteView attributes = entry.attributes<ndmsg>();
  const auto destination = find_attribute(attributes, NDA_DST);
  if (!told || !destination || (told->ndm_family != AF_INET && told->ndm_family != AF_INET6))
    return std::nullopt;
  const auto address = address_from(told->ndm_family == AF_INET ? Family::ipv4 : Family::ipv6, *destination);
  if (!address) return std::nullopt;
  NeighbourEntry read{{static_cast<unsigned>(told->ndm_ifindex), *address}, std::nullopt};
  const auto mac = find_value<MacAddress>(attributes, NDA_LLADDR);
  if (entry.type == RTM_NEWNEIGH && mac && (told->ndm_state & kKnown) != 0)
    read.known = {*mac, (told->ndm_state & NUD_PERMANENT) != 0};
  return read;
}

}  // namespace

Result<Ways> Ways::make(const WayOptions& options) {
  unsigned index = 0;
  if (!options.interface.empty()) {
    const auto found = interface_index(options.interface);
    if (!found) return std::unexpected(found.error());
    index = *found;
  }
  auto questions = RouteSocket::open();
  if (!questions) return std::unexpected(questions.error());
  auto changes = RouteSocket::open(kChanges | kRules6);
  if (!changes) return std::unexpected(changes.error());
  return Ways(options, index, std::move(*questions), std::move(*changes));
}

bool Ways::load(Family family, Stretches& stretches) const {
  std::vector<Uint128> starts{0};
  rtmsg routes{};
  routes.rtm_family = domain(family);
  const auto all =
      questions_.ask(RouteRequest(RTM_GETROUTE, NLM_F_DUMP, routes), [&](const RouteEntry& entry) {
        const auto route = read_as<rtmsg>(entry.body);
        const auto destination = find_attribute(entry.attributes<rtmsg>(), RTA_DST);
        if (route && destination) add_ends(starts, family, *destination, route->rtm_dst_len);
      });
  fib_rule_hdr rules{};
  rules.family = domain(family);
  const auto ruled =
      questions_.ask(RouteRequest(RTM_GETRULE, NLM_F_DUMP, rules), [&](const RouteEntry& entry) {
        const auto rule = read_as<fib_rule_hdr>(entry.body);
        const auto destination = find_attribute(entry.attributes<fib_rule_hdr>(), FRA_DST);
        if (rule && destination) add_ends(starts, family, *destination, rule->dst_len);
      });
  std::ranges::sort(starts);
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  stretches.ways.assign(starts.size(), std::nullopt);
  stretches.starts = std::move(starts);
  return all && ruled;
}

const Way& Ways::to(const IpAddress& remote) {
  if (remote.zone() != 0) {
    const auto [at, is_new] = zones_.try_emplace(remote.zone());
    if (is_new) at->second = ask(remote);
    return at->second;
  }
  auto& stretches = families_[remote.family() == Family::ipv4 ? 0 : 1];
  if (!stretches && !load(remote.family(), stretches.emplace())) stale_ = true;
  const auto after = std::ranges::upper_bound(stretches->starts, to_number(remote));
  auto& way = stretches->ways[static_cast<std::size_t>(after - stretches->starts.begin()) - 1];
  if (!way) way = ask(remote);
  return *way;
}

Way Ways::ask(const IpAddress& remote) const {
  const Family family = remote.family();
  rtmsg wanted{};
  wanted.rtm_family = domain(family);
  wanted.rtm_dst_len = static_cast<std::uint8_t>(8 * remote.bytes().size());
  const auto put = [](RouteRequest& request, std::uint16_t type, const auto& value) {
    request.attribute(type, std::as_bytes(std::span(&value, 1)));
  };
  if (options_.source) wanted.rtm_src_len = wanted.rtm_dst_len;
  RouteRequest request(RTM_GETROUTE, 0, wanted);
  request.attribute(RTA_DST, std::as_bytes(remote.bytes()));
  if (options_.source) request.attribute(RTA_SRC, std::as_bytes(options_.source->bytes()));
  const unsigned through = remote.zone() != 0 ? remote.zone() : interface_;
  if (through != 0) put(request, RTA_OIF, through);
  Way way{.source = options_.source.value_or(IpAddress::any(family)), .on_link = true};
  bool told = false;
  bool plain = false;
  const auto asked = questions_.ask(std::move(request), [&](const RouteEntry& entry) {
    const auto route = read_as<rtmsg>(entry.body);
    if (!route || entry.type != RTM_NEWROUTE) return;
    const ByteView attributes = entry.attributes<rtmsg>();
    told = true;
    way.interface = find_value<unsigned>(attributes, RTA_OIF).value_or(0);
    if (const auto source = find_attribute(attributes, RTA_PREFSRC); source && !options_.source)
      way.source = address_from(family, *source).value_or(way.source);
    if (const auto router = find_gateway(attributes, family)) {
      way.on_link = false;
      way.router = *router;
    }
    plain = route->rtm_type == RTN_UNICAST && !find_attribute(attributes, RTA_ENCAP);
    // IPv6 answers with a route that refuses, and says so in its type only.
    if (route->rtm_type == RTN_UNREACHABLE) way.code = EHOSTUNREACH;
    if (route->rtm_type == RTN_BLACKHOLE) way.code = EINVAL;
    if (route->rtm_type == RTN_PROHIBIT) way.code = EACCES;
    if (const auto error = find_value<rta_cacheinfo>(attributes, RTA_CACHEINFO);
        error && error->rta_error != 0)
      way.code = std::abs(static_cast<int>(error->rta_error));
  });
  if (!asked) way.code = asked.error().code;
  if (!told && way.code == 0) way.code = ENETUNREACH;
  if (way.code == 0 && way.source.is_any()) way.code = EADDRNOTAVAIL;
  if (way.code == 0 && plain) way.ethernet = ethernet_of(way.interface);
  return way;
}

std::optional<EthernetLink> Ways::ethernet_of(unsigned interface) const {
  EthernetLink link;
  unsigned type = 0;
  const auto flags = link_flags(questions_, interface, &link, &type);
  if (!flags || type != ARPHRD_ETHER || link.index == 0) return std::nullopt;
  if ((*flags & (IFF_LOOPBACK | IFF_NOARP)) != 0) return std::nullopt;
  return link;
}

std::optional<MacAddress> Ways::ask_neighbour(unsigned interface, const IpAddress& remote) const {
  ndmsg wanted{};
  wanted.ndm_family = domain(remote.family());
  wanted.ndm_ifindex = static_cast<int>(interface);
  RouteRequest request(RTM_GETNEIGH, 0, wanted);
  request.attribute(NDA_DST, std::as_bytes(remote.bytes()));
  std::optional<MacAddress> found;
  (void)questions_.ask(std::move(request), [&](const RouteEntry& entry) {
    if (const auto neighbour = read_neighbour(entry); neighbour && neighbour->known)
      found = neighbour->known->address;
  });
  return found;
}

std::optional<MacAddress> Ways::neighbour(const Way& way, const IpAddress& remote) {
  const IpAddress& next = way.on_link ? remote : way.router;
  const NeighbourKey key{way.interface, next};
  if (last_neighbour_ && last_neighbour_->first == key) return last_neighbour_->second;
  const auto known = neighbours_.find(key);
  if (known != neighbours_.end() && known->second.address) {
    last_neighbour_.emplace(key, *known->second.address);
    return known->second.address;
  }
  if (known == neighbours_.end()) {
    if (neighbours_.size() >= kMostNeighbours) return std::nullopt;
    const auto found = ask_neighbour(way.interface, next);
    neighbours_.emplace(key, Neighbour{found, now() + kFirstLook, kFirstLook});
    return found;
  }
  Neighbour& neighbour = known->second;
  const TimePoint when = now();
  if (when < neighbour.look_at) return std::nullopt;
  neighbour.address = ask_neighbour(way.interface, next);
  neighbour.pause = std::min(neighbour.pause * 2, kLongestPause);
  neighbour.look_at = when + neighbour.pause;
  return neighbour.address;
}

std::optional<KernelNeighbour> Ways::kernel_neighbour(const NeighbourKey& key) {
  if (!kernel_) {
    kernel_.emplace();
    const ndmsg all{};
    (void)questions_.ask(RouteRequest(RTM_GETNEIGH, NLM_F_DUMP, all), [&](const RouteEntry& entry) {
      if (const auto read = read_neighbour(entry); read && read->known)
        kernel_->insert_or_assign(read->key, *read->known);
    });
  }
  const auto found = kernel_->find(key);
  return found == kernel_->end() ? std::nullopt : std::optional(found->second);
}

Ways::Changes Ways::follow_changes() {
  Changes changes;
  const auto visit = [&](const RouteEntry& entry) {
    if (entry.type != RTM_NEWNEIGH && entry.type != RTM_DELNEIGH) {
      stale_ = true;
      return;
    }
    const auto changed = read_neighbour(entry);
    if (!changed) return;
    const auto& [interface, address] = changed->key;
    last_neighbour_.reset();
    neighbours_.erase(changed->key);
    // A link-local one may stand there with its zone.
    if (address.family() == Family::ipv6)
      neighbours_.erase({interface, IpAddress(Family::ipv6, address.bytes(), interface)});
    if (kernel_ && changed->known)
      kernel_->insert_or_assign(changed->key, *changed->known);
    else if (kernel_)
      kernel_->erase(changed->key);
    changes.neighbours.push_back(changed->key);
  };
  if (!changes_.changes(visit)) {
    neighbours_.clear();
    last_neighbour_.reset();
    kernel_.reset();
    stale_ = true;
  }
  const TimePoint when = now();
  if (!stale_ || when < loaded_ + kBetweenLoads) return changes;
  families_ = {};
  zones_.clear();
  stale_ = false;
  loaded_ = when;
  changes.ways = true;
  return changes;
}

std::string Ways::trouble(unsigned interface) const {
  const auto flags = link_flags(questions_, interface, nullptr, nullptr);
  if (!flags) return "is gone";
  if ((*flags & IFF_UP) == 0) return "is down";
  return (*flags & IFF_RUNNING) == 0 ? "has no carrier" : "";
}

}  // namespace pier
