// Addresses that no single host answers for.
#pragma once

#include <optional>
#include <string>

#include "net/address_set.h"

namespace pier {

// 0.0.0.0/8 and :: (this host, RFC 1122 section 3.2.1.3 and RFC 4291), multicast (224.0.0.0/4, ff00::/8) and
// the limited broadcast.
[[nodiscard]] const AddressSet& special_addresses();

// What an address of that set is: "multicast", "broadcast", "no host's address". `address` must be in it.
[[nodiscard]] std::string special_kind(const IpAddress& address);

}  // namespace pier
