// The network interfaces of this host.
#pragma once

#include <string>
#include <vector>

#include "net/address.h"

namespace pier {

// The name of the interface that has this address ("lo", "eth0"), or empty where none has (getifaddrs(3)).
[[nodiscard]] std::string interface_of(const IpAddress& address);

// The names of all, in the kernel's order (if_nameindex(3)).
[[nodiscard]] std::vector<std::string> interface_names();

}  // namespace pier
