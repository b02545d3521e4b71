#include "scan/special.h"

#include <string_view>

namespace pier {
namespace {

struct Kind {
  std::string_view block;
  std::string_view name;
};
constexpr Kind kKinds[] = {{"0.0.0.0/8", "no host's address"},
                           {"::/128", "no host's address"},
                           {"224.0.0.0/4", "multicast"},
                           {"ff00::/8", "multicast"},
                           {"255.255.255.255/32", "broadcast"}};

}  // namespace

const AddressSet& special_addresses() {
  static const AddressSet set = [] {
    std::vector<AddressRange> ranges;
    for (const Kind& kind : kKinds) ranges.push_back(AddressRange::of(Cidr::parse(kind.block).value()));
    return AddressSet(std::move(ranges));
  }();
  return set;
}

std::string special_kind(const IpAddress& address) {
  for (const Kind& kind : kKinds) {
    // A zone says on which interface, not what the address is.
    const IpAddress plain(address.family(), address.bytes());
    if (Cidr::parse(kind.block).value().contains(plain)) return std::string(kind.name);
  }
  return "special";
}

}  // namespace pier
