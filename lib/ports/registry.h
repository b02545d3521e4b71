// The IANA Service Name and Transport Protocol Port Number Registry (RFC 6335), as a table in the program:
// nothing is read or parsed at run time. data/README.md says where the data is from.
//
// The registry tells what was assigned, not what runs there. One port of one transport can have several
// services: the first is the canonical one, the others are its aliases.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ports/port_class.h"
#include "ports/protocol.h"

namespace pier {

// The other names of a port, in the registry's order. Cheap to copy; refers to the table.
class AliasNames {
 public:
  AliasNames() = default;
  AliasNames(std::uint32_t begin, std::uint32_t size) : begin_(begin), size_(size) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view operator[](std::size_t i) const;

 private:
  std::uint32_t begin_ = 0;
  std::uint32_t size_ = 0;
};

// What the registry says about the ports of `range` on one transport. The texts live as long as the program;
// each is one line without control characters, and empty where the registry has nothing.
struct PortEntry {
  PortRange range;
  std::string_view service;  // canonical name; empty when reserved or unassigned
  AliasNames aliases;
  std::string_view description;  // also "Reserved" and "Unassigned"
  std::string_view notes;
  std::string_view unauthorized_use;  // IANA's note of a use without assignment

  [[nodiscard]] bool assigned() const { return !service.empty(); }
};

// The entry for one port; nullopt where the registry has none, as in the whole dynamic range. A row without a
// transport counts for tcp and udp.
[[nodiscard]] std::optional<PortEntry> find_port(PortProtocol protocol, std::uint16_t port);

// The canonical service name of a port, or empty.
[[nodiscard]] std::string_view service_of(PortProtocol protocol, std::uint16_t port);

// One place where a service name is assigned: a transport and its ports.
struct ServicePort {
  std::string_view name;  // as the registry writes it
  PortProtocol protocol = PortProtocol::tcp;
  PortRange ports;
};

// Every place where the name is assigned, in the registry's order; canonical names and aliases alike, without
// regard to case (RFC 6335 section 5.1). Empty for an unknown name and for one registered without a port.
[[nodiscard]] std::vector<ServicePort> find_service(std::string_view name);

// Whether the name is registered but has no port anywhere (names for DNS-SD, for instance).
[[nodiscard]] bool service_without_port(std::string_view name);

// Each name that has a port, once, in alphabetical order.
[[nodiscard]] std::vector<std::string_view> service_names();

struct RegistryFacts {
  std::string_view source;        // the registry's title
  std::string_view newest_entry;  // the newest date in it, YYYY-MM-DD
  std::size_t rows = 0;           // of the published file, without its header
  std::size_t names = 0;          // distinct service names
  std::size_t names_without_port = 0;
  // Ports with at least one service, for each of kPortProtocols.
  std::array<std::size_t, kPortProtocols.size()> assigned{};
  std::size_t unauthorized = 0;  // rows that report a use without assignment
};
[[nodiscard]] RegistryFacts registry_facts();

}  // namespace pier
