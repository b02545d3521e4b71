#include "ports/port_query.h"

#include <gtest/gtest.h>

#include <string>

namespace pier {
namespace {

std::string pairs(std::string_view text) {
  const auto query = PortQuery::parse(text);
  if (!query) return query.error().message();
  std::string all;
  query->for_each([&](std::uint16_t port, PortProtocol protocol) {
    all += std::to_string(port) + "/" + std::string(to_string(protocol)) + " ";
  });
  return all;
}

TEST(PortQuery, NumbersAndRangesMeanTcpAndUdp) {
  EXPECT_EQ(pairs("22"), "22/tcp 22/udp ");
  EXPECT_EQ(pairs("0"), "0/tcp 0/udp ");
  EXPECT_EQ(pairs("65534-"), "65534/tcp 65534/udp 65535/tcp 65535/udp ");
  EXPECT_EQ(pairs("-1"), "1/tcp 1/udp ");
}

TEST(PortQuery, OneTransport) {
  EXPECT_EQ(pairs("22/sctp"), "22/sctp ");
  EXPECT_EQ(pairs("1-2/dccp"), "1/dccp 2/dccp ");
  EXPECT_EQ(pairs("https/tcp"), "443/tcp ");
}

TEST(PortQuery, AServiceIsWhereItIsAssigned) {
  EXPECT_EQ(pairs("redis"), "6379/tcp ");
  EXPECT_EQ(pairs("HTTPS"), "443/tcp 443/udp 443/sctp ");
  EXPECT_EQ(pairs("914c/g"), "211/tcp 211/udp ");
  EXPECT_EQ(pairs("smtps"), "465/tcp ");
}

TEST(PortQuery, AnythingElseIsAPortSet) {
  EXPECT_EQ(pairs("80,22,!80/udp"), "22/tcp 22/udp 80/tcp ");
  EXPECT_EQ(pairs("T:80,U:53"), "53/udp 80/tcp ");
}

TEST(PortQuery, AMistypedNameHasOneThatIsMeant) {
  EXPECT_EQ(PortQuery::meant("postgre"), "postgresql");
  EXPECT_EQ(PortQuery::meant("postgre/udp"), "postgresql/udp");
  for (const char* text :
       {"dynami", "comon", "postgre,80", "!postgre", "T:postgre", "postgre/icmp", "/tcp", ""})
    EXPECT_EQ(PortQuery::meant(text), "") << text;
}

TEST(PortQuery, ErrorsQuoteTheText) {
  EXPECT_EQ(pairs("5-1"), "port '5-1': a backwards range: did you mean 1-5");
  EXPECT_EQ(pairs("65536"), "port '65536': not a number from 0 to 65535");
  EXPECT_EQ(pairs("1,,2"), "ports '1,,2': an empty item: one comma between two items, none at the ends");
  EXPECT_EQ(pairs("").substr(0, 8), "port '':");
  EXPECT_EQ(pairs("80/").substr(0, 12), "port '80/': ");
  EXPECT_EQ(pairs("/tcp").substr(0, 13), "port '/tcp': ");
}

}  // namespace
}  // namespace pier
