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
#include <bit>
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
  void add(PortProtocols protocols, PortRange range);
  void remove(PortProtocols protocols, PortRange range);
  void add(const PortSet& other);
  void remove(const PortSet& other);

  [[nodiscard]] bool contains(PortProtocol protocol, std::uint16_t port) const {
    return (word(protocol, port / kWordBits) >> (port % kWordBits) & 1U) != 0;
  }
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t size() const;  // pairs of port and transport
  [[nodiscard]] std::size_t size(PortProtocol protocol) const;
  // The transports that have a port in the set.
  [[nodiscard]] PortProtocols protocols() const;

  // The ports of one transport, ascending; the same as the fewest ranges.
  [[nodiscard]] std::vector<std::uint16_t> ports(PortProtocol protocol) const;
  [[nodiscard]] std::vector<PortRange> ranges(PortProtocol protocol) const;

  // Calls `visit(port, protocol)` for each pair, by ascending port, tcp before udp.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t at = 0; at < kWords; ++at) {
      Word any = 0;
      for (const Words& words : words_) any |= words[at];
      for (; any != 0; any &= any - 1) {
        const auto port =
            static_cast<std::uint16_t>(at * kWordBits + static_cast<unsigned>(std::countr_zero(any)));
        for (const PortProtocol protocol : kPortProtocols)
          if (contains(protocol, port)) visit(port, protocol);
      }
    }
  }

  // The shortest text that parse_port_set() turns into the same set, given the same `unqualified` transports
  // as its rules: "22,80,8000-8100", "T:80,U:53". Empty for the empty set, which no text stands for.
  [[nodiscard]] std::string to_string(PortProtocols unqualified) const;

  [[nodiscard]] friend bool operator==(const PortSet&, const PortSet&) = default;

 private:
  using Word = std::uint64_t;
  static constexpr std::size_t kWordBits = 64;
  static constexpr std::size_t kWords = 65536 / kWordBits;
  using Words = std::array<Word, kWords>;

  [[nodiscard]] const Words& words(PortProtocol p) const { return words_[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Words& words(PortProtocol p) { return words_[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Word word(PortProtocol p, std::size_t at) const { return words(p)[at]; }

  std::array<Words, kPortProtocols.size()> words_{};  // one bit a port
};

// The words of the grammar that are no service names.
inline constexpr std::string_view kPortSetWords[] = {"well-known", "registered", "dynamic", "common"};

struct PortSetRules {
  // What an item counts for when it does not name a transport.
  PortProtocols unqualified = PortProtocol::tcp;
  // What an item may name.
  PortProtocols allowed = kTcpAndUdp;
  // Port 0 is a port (classify) or an error (scan). `-`, `-100` and `common` never include it.
  bool port_zero = false;
};

// `80`, `8000-8100`, `-100`, `65000-` or `-`: the part of the grammar that is digits and dashes only.
[[nodiscard]] Result<PortRange> parse_port_range(std::string_view text, bool port_zero);

// A usage error quotes the item and says what fits; one bad item refuses the list. A set without any port,
// such as `80,!80`, is an error too.
[[nodiscard]] Result<PortSet> parse_port_set(std::string_view text, const PortSetRules& rules);

}  // namespace pier
