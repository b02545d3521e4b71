// Answers of rtnetlink(7): any bytes give messages and attributes that lie inside them, and an errno or none.
#include <linux/neighbour.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "net/rtnetlink.h"

namespace {

using pier::ByteView;

bool is_inside(ByteView part, ByteView whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void read_attributes(const pier::RouteEntry& entry, ByteView attributes) {
  using namespace pier;
  if (!is_inside(attributes, entry.body)) std::abort();
  for (std::uint16_t type = 0; type < 32; ++type)
    if (const auto value = find_attribute(attributes, type); value && !is_inside(*value, attributes))
      std::abort();
  (void)find_value<std::uint32_t>(attributes, RTA_OIF);
  (void)find_value<rta_cacheinfo>(attributes, RTA_CACHEINFO);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto address = find_attribute(attributes, RTA_DST);
    if (const auto read = address ? address_from(family, *address) : std::nullopt;
        read && read->family() != family)
      std::abort();
    (void)find_gateway(attributes, family);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  const std::vector<std::uint8_t> bytes(data, data + size);  // of that size, so that a read past it is seen
  const ByteView datagram = std::as_bytes(std::span(bytes));
  bool done = false;
  std::size_t read = 0;
  const int code = visit_messages(datagram, done, [&](const RouteEntry& entry) {
    if (done || entry.type < NLMSG_MIN_TYPE || !is_inside(entry.body, datagram)) std::abort();
    read += sizeof(nlmsghdr) + entry.body.size();
    read_attributes(entry, entry.attributes<rtmsg>());
    read_attributes(entry, entry.attributes<ndmsg>());
    read_attributes(entry, entry.attributes<ifinfomsg>());
  });
  if (read > size || code < 0 || code > 4095 || (code != 0 && !done)) std::abort();
  return 0;
}
