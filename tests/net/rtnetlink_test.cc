#include "net/rtnetlink.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <string_view>

namespace pier {
namespace {

using Bytes = std::vector<std::byte>;

template <class Value>
void append(Bytes& bytes, const Value& value) {
  const auto added = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), added.begin(), added.end());
}

Bytes attribute(std::uint16_t type, std::string_view value, int length_off_by = 0) {
  Bytes bytes;
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<std::uint16_t>(static_cast<int>(sizeof header + value.size()) + length_off_by);
  append(bytes, header);
  for (const char byte : value) bytes.push_back(static_cast<std::byte>(byte));
  bytes.resize(RTA_ALIGN(bytes.size()));
  return bytes;
}

Bytes message(std::uint16_t type, const Bytes& body, int length_off_by = 0) {
  Bytes bytes;
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_len =
      static_cast<std::uint32_t>(static_cast<int>(sizeof header + body.size()) + length_off_by);
  append(bytes, header);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

Bytes with_errno(std::uint16_t type, int code) {
  Bytes body;
  append(body, code);
  body.resize(sizeof(nlmsgerr));
  return message(type, body);
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Told {
  int code = 0;
  bool done = false;
  std::vector<std::uint16_t> types = {};
};

Told visit(const Bytes& datagram) {
  Told told;
  told.code =
      visit_messages(datagram, told.done, [&](const RouteEntry& entry) { told.types.push_back(entry.type); });
  return told;
}

const Bytes kRoute = message(RTM_NEWROUTE, Bytes(sizeof(rtmsg)));

TEST(RouteMessages, AllOfADatagramUpToTheEnd) {
  const Told part = visit(kRoute + kRoute);
  EXPECT_EQ(part.types.size(), 2U);
  EXPECT_FALSE(part.done);
  const Told last = visit(kRoute + with_errno(NLMSG_DONE, 0) + kRoute);
  EXPECT_EQ(last.types.size(), 1U);
  EXPECT_TRUE(last.done);
  EXPECT_EQ(last.code, 0);
  EXPECT_TRUE(visit(message(NLMSG_NOOP, {})).types.empty());
}

TEST(RouteMessages, ErrorsAreErrnos) {
  for (const auto& [told, code] :
       {std::pair(0, 0), std::pair(-ENETUNREACH, ENETUNREACH), std::pair(ENOENT, EBADMSG),
        std::pair(INT_MIN, EBADMSG), std::pair(-5000, EBADMSG)}) {
    const Told error = visit(with_errno(NLMSG_ERROR, told));
    EXPECT_EQ(error.code, code) << told;
    EXPECT_TRUE(error.done) << told;
  }
  EXPECT_EQ(visit(message(NLMSG_ERROR, {})).code, EBADMSG);
}

// netlink_dump() puts there why it could not go on: what came before is not all.
TEST(RouteMessages, ADumpThatEndsWithAnErrorIsNoWholeOne) {
  EXPECT_EQ(visit(kRoute + with_errno(NLMSG_DONE, -EMSGSIZE)).code, EMSGSIZE);
  EXPECT_EQ(visit(message(NLMSG_DONE, {})).code, 0);
}

// Whoever waits for more after one of these waits for ever.
TEST(RouteMessages, MalformedOnesEndIt) {
  for (const Bytes& wrong : {message(RTM_NEWROUTE, Bytes(sizeof(rtmsg)), 1), message(RTM_NEWROUTE, {}, -1),
                             message(RTM_NEWROUTE, {}, -16)}) {
    const Told told = visit(kRoute + wrong);
    EXPECT_EQ(told.code, EBADMSG);
    EXPECT_TRUE(told.done);
    EXPECT_EQ(told.types.size(), 1U);
  }
  for (std::size_t size = sizeof(nlmsghdr); size < kRoute.size(); ++size)
    EXPECT_EQ(visit(Bytes(kRoute.begin(), kRoute.begin() + static_cast<std::ptrdiff_t>(size))).code, EBADMSG)
        << size;
}

TEST(RouteAttributes, AreFoundUpToAMalformedOne) {
  const Bytes good = attribute(RTA_DST, "abcd") + attribute(RTA_OIF, "xyz") + attribute(RTA_SRC, "efgh");
  EXPECT_EQ(find_attribute(good, RTA_SRC)->size(), 4U);
  EXPECT_EQ(find_attribute(good, RTA_OIF)->size(), 3U) << "without its padding";
  EXPECT_FALSE(find_attribute(good, RTA_GATEWAY));
  EXPECT_FALSE(find_value<std::uint32_t>(good, RTA_OIF)) << "too short";
  EXPECT_TRUE(find_value<std::uint32_t>(good, RTA_DST));
  for (const int off : {-8, -5, 1, 1000}) {
    const Bytes wrong = attribute(RTA_DST, "abcd") + attribute(RTA_OIF, "wxyz", off);
    EXPECT_TRUE(find_attribute(wrong, RTA_DST)) << off;
    EXPECT_FALSE(find_attribute(wrong, RTA_OIF)) << off;
  }
  EXPECT_FALSE(find_attribute(Bytes(3), RTA_UNSPEC));
  // The last one's padding may be missing.
  Bytes unpadded = attribute(RTA_OIF, "xyz");
  unpadded.pop_back();
  EXPECT_EQ(find_attribute(unpadded, RTA_OIF)->size(), 3U);
}

TEST(RouteAttributes, AnEntryShorterThanItsStructHasNone) {
  const Bytes body(sizeof(rtmsg) - 1);
  EXPECT_TRUE((RouteEntry{RTM_NEWROUTE, body}.attributes<rtmsg>().empty()));
}

TEST(RouteAttributes, RoutersOfEitherFamily) {
  EXPECT_EQ(find_gateway(attribute(RTA_GATEWAY, {"\x0a\0\0\1", 4}), Family::ipv4), IpAddress::v4(0x0a000001));
  EXPECT_FALSE(find_gateway(attribute(RTA_GATEWAY, {"\x0a\0\0", 3}), Family::ipv4));
  EXPECT_FALSE(find_gateway(attribute(RTA_GATEWAY, {"\x0a\0\0\1", 4}), Family::ipv6));
  Bytes via(sizeof(std::uint16_t));
  const std::uint16_t family = AF_INET6;
  std::memcpy(via.data(), &family, sizeof family);
  std::string value(reinterpret_cast<const char*>(via.data()), via.size());
  EXPECT_FALSE(find_gateway(attribute(RTA_VIA, value), Family::ipv4)) << "the family alone";
  value.append(15, '\0').append(1, '\1');
  EXPECT_EQ(find_gateway(attribute(RTA_VIA, value), Family::ipv4), IpAddress::loopback(Family::ipv6));
  value[0] = value[1] = 0x7f;
  EXPECT_FALSE(find_gateway(attribute(RTA_VIA, value), Family::ipv4)) << "of no family of ours";
  EXPECT_FALSE(find_gateway(attribute(RTA_VIA, "x"), Family::ipv4));
}

TEST(RouteSockets, TheKernelsAnswersAreRead) {
  const auto socket = RouteSocket::open();
  ASSERT_TRUE(socket);
  ifinfomsg links{};
  std::size_t count = 0;
  EXPECT_TRUE(socket->ask(RouteRequest(RTM_GETLINK, NLM_F_DUMP, links), [&](const RouteEntry& entry) {
    if (entry.type == RTM_NEWLINK && find_attribute(entry.attributes<ifinfomsg>(), IFLA_IFNAME)) ++count;
  }));
  EXPECT_GT(count, 0U);
  ifinfomsg none{};
  none.ifi_index = INT_MAX;
  const auto answer = socket->ask(RouteRequest(RTM_GETLINK, 0, none), [](const RouteEntry&) {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ENODEV);
}

}  // namespace
}  // namespace pier
