// An address as SOCKS 5 writes it: a type, an IPv4 address, a name or an IPv6 address, and a port (RFC 1928,
// section 5). Internal to proxy/.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/negotiation.h"

namespace pier::socks {

// Whether it can be written: a literal, or a name of 1 to 255 bytes.
[[nodiscard]] bool can_write(const ProxyTarget& target);
void write_address(std::string& into, const ProxyTarget& target);

// The size in bytes of the address that begins with these, type and port included; nothing while that is not
// to be told yet, and 0 for a type that is not known or an empty name.
[[nodiscard]] std::optional<std::size_t> address_size(std::string_view bytes);
// A whole address.
[[nodiscard]] ProxyTarget read_address(std::string_view bytes);

}  // namespace pier::socks
