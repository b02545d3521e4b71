// A set of ports per transport, and its one grammar: `22,80,8000-8100`.
//
//   80            8000-8100      -100 (1 to 100)     65000- (to 65535)     - (1 to 65535)
//   well-known    registered     dynamic             common                https (a service name)
//   T:80,U:53     80/tcp         !25 (left out)
//
// Items are separated by commas, without blanks. `T:` and `U:` hold until the next one; `80/tcp` is for one
// item. `!` leaves its item out wherever it stands in the list, on every transport unless it names its own
// (`!U:53`, `!53/udp`). The set is a set: order and repetition mean nothing.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ports/port_class.h"
#include "ports/protocol.h"

namespace pier {

class PortSet {
 public:
  static constexpr std::size_t kPorts = 65536;

  void add(PortProtocols protocols, PortRange range);
  void remove(PortProtocols protocols, PortRange range);
  void add(const PortSet& other);
  void remove(const PortSet& other);

  [[nodiscard]] bool contains(PortProtocol protocol, std::uint16_t port) const {
    return bits(protocol).test(port);
  }
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t size() const;  // pairs of port and transport
  [[nodiscard]] std::size_t size(PortProtocol protocol) const { return bits(protocol).count(); }
  // The transports that have a port in the set.
  [[nodiscard]] PortProtocols protocols() const;

  // The ports of one transport, ascending; the same as the fewest ranges.
  [[nodiscard]] std::vector<std::uint16_t> ports(PortProtocol protocol) const;
  [[nodiscard]] std::vector<PortRange> ranges(PortProtocol protocol) const;

  // Calls `visit(port, protocol)` for each pair, by ascending port, tcp before udp.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t port = 0; port < kPorts; ++port)
      for (const PortProtocol protocol : kPortProtocols)
        if (bits(protocol).test(port)) visit(static_cast<std::uint16_t>(port), protocol);
  }

  // The shortest text that parse_port_set() turns into the same set, given the same `unqualified` transports
  // as its rules: "22,80,8000-8100", "T:80,U:53". Empty for the empty set, which no text stands for.
  [[nodiscard]] std::string to_string(PortProtocols unqualified) const;

  [[nodiscard]] friend bool operator==(const PortSet&, const PortSet&) = default;

 private:
  using Bits = std::bitset<kPorts>;
  [[nodiscard]] const Bits& bits(PortProtocol p) const { return bits_[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Bits& bits(PortProtocol p) { return bits_[static_cast<std::size_t>(p)]; }

  std::array<Bits, kPortProtocols.size()> bits_;
};

struct PortSetRules {
  // What an item counts for when it does not name a transport.
  PortProtocols unqualified = PortProtocol::tcp;
  // What an item may name.
  PortProtocols allowed = kTcpAndUdp;
  // Port 0 is a port (classify) or an error (scan). `-`, `-100` and `common` never include it.
  bool port_zero = false;
};

// A usage error quotes the item and says what fits; one bad item refuses the list. A set without any port,
// such as `80,!80`, is an error too.
[[nodiscard]] Result<PortSet> parse_port_set(std::string_view text, const PortSetRules& rules);

}  // namespace pier
