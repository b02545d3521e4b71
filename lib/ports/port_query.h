// One thing that a user asks about: `22`, `6000-6063`, `53/udp`, `https`, `22,80,!81`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ports/port_set.h"
#include "ports/registry.h"

namespace pier {

// The ports asked about, each with its transport. A number or a range means tcp and udp, a service name every
// transport where it is assigned, anything else is a port set (ports/port_set.h) with 0 among its ports.
class PortQuery {
 public:
  // A usage error as parse_port_set's.
  [[nodiscard]] static Result<PortQuery> parse(std::string_view text);

  // For a text that parse() refuses: the one that is surely meant, where it is a service name cut short or
  // mistyped (meant_service), by itself or with a transport: "postgresql/tcp" for "postgre/tcp". Else empty.
  [[nodiscard]] static std::string meant(std::string_view text);

  // Calls `visit(port, protocol)` for each pair: by ascending port with tcp before udp, a service in the
  // registry's order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t port = range_.first; port <= range_.last && !protocols_.empty(); ++port)
      for (const PortProtocol protocol : kPortProtocols)
        if (protocols_.contains(protocol)) visit(static_cast<std::uint16_t>(port), protocol);
    for (const ServicePort& place : places_)
      for (std::uint32_t port = place.ports.first; port <= place.ports.last; ++port)
        visit(static_cast<std::uint16_t>(port), place.protocol);
    if (set_) set_->for_each(visit);
  }

 private:
  // One of the three. A number needs no memory from the heap: a million of them are asked in a second.
  PortRange range_;
  PortProtocols protocols_;
  std::vector<ServicePort> places_;
  std::unique_ptr<const PortSet> set_;
};

}  // namespace pier
