#include "net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <memory>

namespace pier {

std::string interface_of(const IpAddress& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    const int domain = at->ifa_addr->sa_family;
    if (domain != AF_INET && domain != AF_INET6) continue;
    sockaddr_storage storage{};
    const socklen_t size = domain == AF_INET ? 16 : 28;  // sockaddr_in, sockaddr_in6
    std::copy_n(reinterpret_cast<const char*>(at->ifa_addr), size, reinterpret_cast<char*>(&storage));
    const IpAddress own = SocketAddress::from(storage, size).ip();
    if (own.family() == address.family() &&
        std::equal(own.bytes().begin(), own.bytes().end(), address.bytes().begin()))
      return at->ifa_name;
  }
  return {};
}

std::vector<std::string> interface_names() {
  std::vector<std::string> names;
  struct if_nameindex* const list = ::if_nameindex();
  if (list == nullptr) return names;
  for (const auto* one = list; one->if_index != 0; ++one) names.emplace_back(one->if_name);
  ::if_freenameindex(list);
  return names;
}

}  // namespace pier
