#include "ports/port_class.h"

#include <gtest/gtest.h>

#include "ports/protocol.h"

namespace pier {
namespace {

TEST(PortClass, BordersAreThoseOfRfc6335) {
  EXPECT_EQ(port_class(0), PortClass::well_known);
  EXPECT_EQ(port_class(1023), PortClass::well_known);
  EXPECT_EQ(port_class(1024), PortClass::registered);
  EXPECT_EQ(port_class(49151), PortClass::registered);
  EXPECT_EQ(port_class(49152), PortClass::dynamic);
  EXPECT_EQ(port_class(65535), PortClass::dynamic);
}

TEST(PortClass, NamesRoundTripAndNothingElseParses) {
  for (const PortClass which : kPortClasses) EXPECT_EQ(parse_port_class(to_string(which)), which);
  for (const char* bad : {"", "Well-Known", "well known", "ephemeral", "dynamic "})
    EXPECT_FALSE(parse_port_class(bad)) << bad;
}

TEST(PortClass, RangesCoverEveryPortOnce) {
  unsigned next = 0;
  for (const PortClass which : kPortClasses) {
    EXPECT_EQ(range_of(which).first, next);
    next = range_of(which).last + 1U;
  }
  EXPECT_EQ(next, 65536U);
}

TEST(PortProtocol, NamesRoundTrip) {
  for (const PortProtocol protocol : kPortProtocols)
    EXPECT_EQ(parse_port_protocol(to_string(protocol)), protocol);
  for (const char* bad : {"", "TCP", "tcp ", "icmp"}) EXPECT_FALSE(parse_port_protocol(bad)) << bad;
}

TEST(PortProtocol, SetsHoldWhatWasPutIn) {
  EXPECT_TRUE(PortProtocols().empty());
  EXPECT_TRUE(kTcpAndUdp.contains(PortProtocol::udp));
  EXPECT_FALSE(kTcpAndUdp.contains(PortProtocol::sctp));
  EXPECT_TRUE(kEveryPortProtocol.contains(PortProtocol::dccp));
  EXPECT_EQ(PortProtocol::tcp | PortProtocol::udp, kTcpAndUdp);
}

}  // namespace
}  // namespace pier
