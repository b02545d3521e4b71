// Which way packets go to an address, by this host's tables of routes and neighbours: the kernel's own
// answer, kept as long as it cannot have changed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"
#include "net/cidr.h"
#include "net/rtnetlink.h"

namespace pier {

using MacAddress = std::array<std::uint8_t, 6>;

// An Ethernet-like interface (VLAN, veth, bridge, Wi-Fi, bond), which takes frames.
struct EthernetLink {
  unsigned index = 0;
  MacAddress address{};
};

struct Way {
  int code = 0;            // errno where there is none
  unsigned interface = 0;  // index
  IpAddress source = {};   // of packets that go there
  bool on_link = false;    // without a router between
  IpAddress router = {};   // else
  // Where frames may be sent by ourselves. Otherwise the kernel has to: to itself, through tunnels, VPNs and
  // other devices without Ethernet's addresses.
  std::optional<EthernetLink> ethernet = {};
};

struct NeighbourKey {
  unsigned interface = 0;  // index
  IpAddress address;
  friend auto operator<=>(const NeighbourKey&, const NeighbourKey&) = default;
};

// What the kernel knows of a neighbour.
struct KernelNeighbour {
  MacAddress address{};
  bool permanent = false;  // as an administrator has set it
};

struct WayOptions {
  std::optional<IpAddress> source = {};  // of this host
  std::string interface = {};            // the only one to use; empty for any
};

class Ways {
 public:
  // ErrorKind::local, also where there is no interface of that name.
  [[nodiscard]] static Result<Ways> make(const WayOptions& options);

  // The way to `remote`; valid until the next call of either.
  [[nodiscard]] const Way& to(const IpAddress& remote);
  // The MAC address that frames to `remote` along `way` are sent to, where the kernel knows it. It finds it
  // out when it has something to send there itself.
  [[nodiscard]] std::optional<MacAddress> neighbour(const Way& way, const IpAddress& remote);

  // Of a neighbour on the same link, without its zone; nothing is asked over the link.
  [[nodiscard]] std::optional<KernelNeighbour> kernel_neighbour(const NeighbourKey& key);

  struct Changes {
    bool ways = false;                          // interfaces or routes: any way may be another
    std::vector<NeighbourKey> neighbours = {};  // that the kernel knows more or less of, without their zones
  };
  // Forgets what may have changed since the last call. To be called often.
  Changes follow_changes();
  // Why nothing can be sent by that interface: "is down", "has no carrier", "is gone"; or empty.
  [[nodiscard]] std::string trouble(unsigned interface) const;

 private:
  Ways(WayOptions options, unsigned interface, RouteSocket questions, RouteSocket changes)
      : options_(std::move(options)),
        interface_(interface),
        questions_(std::move(questions)),
        changes_(std::move(changes)) {}

  // A family's addresses in stretches of which each has one way: between the ends of all prefixes that
  // routes and rules have.
  struct Stretches {
    std::vector<Uint128> starts;  // ascending; the first is 0
    std::vector<std::optional<Way>> ways;
  };
  struct Neighbour {
    std::optional<MacAddress> address;
    TimePoint look_at = TimePoint::min();  // again, where there is none
    Duration pause{};
  };

  // False where the kernel did not tell all of them.
  [[nodiscard]] bool load(Family family, Stretches& stretches) const;
  [[nodiscard]] Way ask(const IpAddress& remote) const;
  [[nodiscard]] std::optional<EthernetLink> ethernet_of(unsigned interface) const;
  [[nodiscard]] std::optional<MacAddress> ask_neighbour(unsigned interface, const IpAddress& remote) const;

  WayOptions options_;
  unsigned interface_;  // 0 for any
  RouteSocket questions_;
  RouteSocket changes_;
  std::array<std::optional<Stretches>, 2> families_;
  std::map<unsigned, Way> zones_;  // of link-local addresses
  std::map<NeighbourKey, Neighbour> neighbours_;
  // The last one found: most packets go by the same router.
  std::optional<std::pair<NeighbourKey, MacAddress>> last_neighbour_;
  std::optional<std::map<NeighbourKey, KernelNeighbour>> kernel_;  // all that it knows of
  bool stale_ = false;
  TimePoint loaded_ = TimePoint::min();
};

}  // namespace pier
