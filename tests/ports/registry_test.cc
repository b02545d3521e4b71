#include "ports/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace pier {
namespace {

constexpr auto kTcp = PortProtocol::tcp;
constexpr auto kUdp = PortProtocol::udp;

std::vector<std::string> aliases_of(PortProtocol protocol, std::uint16_t port) {
  std::vector<std::string> names;
  const auto entry = find_port(protocol, port);
  for (std::size_t i = 0; entry && i < entry->aliases.size(); ++i) names.emplace_back(entry->aliases[i]);
  return names;
}

TEST(Registry, FirstRowIsCanonicalAndTheOthersAreAliases) {
  EXPECT_EQ(service_of(kTcp, 80), "http");
  EXPECT_EQ(aliases_of(kTcp, 80), (std::vector<std::string>{"www", "www-http"}));
  EXPECT_EQ(service_of(kTcp, 465), "urd");
  EXPECT_EQ(aliases_of(kTcp, 465), (std::vector<std::string>{"submissions"}));
  EXPECT_TRUE(aliases_of(kTcp, 22).empty());
}

TEST(Registry, EveryPortOfARangeHasItsService) {
  for (const std::uint16_t port : std::vector<std::uint16_t>{6000, 6001, 6062, 6063})
    EXPECT_EQ(service_of(kTcp, port), "x11") << port;
  EXPECT_NE(service_of(kTcp, 5999), "x11");
  EXPECT_NE(service_of(kTcp, 6064), "x11");
}

TEST(Registry, ReservedAndUnassignedHaveADescriptionButNoService) {
  EXPECT_EQ(find_port(kTcp, 0)->description, "Reserved");
  EXPECT_FALSE(find_port(kTcp, 0)->assigned());
  EXPECT_EQ(find_port(kTcp, 4)->description, "Unassigned");
  EXPECT_EQ(find_port(kUdp, 81)->description, "Unassigned");
}

TEST(Registry, DynamicPortsAreNotInIt) {
  for (std::uint32_t port = 49152; port <= 65535; ++port)
    for (const PortProtocol protocol : kPortProtocols)
      ASSERT_FALSE(find_port(protocol, static_cast<std::uint16_t>(port))) << port;
}

TEST(Registry, ARowWithoutTransportCountsForTcpAndUdp) {
  EXPECT_EQ(service_of(kTcp, 6400), "boe-cms");
  EXPECT_EQ(service_of(kUdp, 6400), "boe-cms");
  EXPECT_FALSE(find_port(PortProtocol::sctp, 6400));
}

TEST(Registry, TransportsAreKeptApart) {
  EXPECT_EQ(service_of(kUdp, 69), "tftp");
  EXPECT_EQ(service_of(PortProtocol::dccp, 9), "discard");
  EXPECT_EQ(service_of(PortProtocol::sctp, 22), "ssh");
  EXPECT_EQ(service_of(kTcp, 512), "exec");
  EXPECT_EQ(service_of(kUdp, 512), "comsat");
}

TEST(Registry, UnauthorizedUseIsTold) {
  EXPECT_FALSE(find_port(kTcp, 1521)->unauthorized_use.empty());
  EXPECT_TRUE(find_port(kTcp, 22)->unauthorized_use.empty());
}

TEST(Registry, UnauthorizedUseOnARangeCountsForThePortsItNames) {
  // "Known Unauthorized Use on port 6003", of the row of 6000-6063.
  EXPECT_FALSE(find_port(kTcp, 6003)->unauthorized_use.empty());
  EXPECT_TRUE(find_port(kTcp, 6002)->unauthorized_use.empty());
  EXPECT_EQ(find_port(kTcp, 6002)->range, (PortRange{6000, 6002}));
  EXPECT_EQ(find_port(kTcp, 6063)->range, (PortRange{6004, 6063}));
  // "Known Unauthorized Use on ports 33436-33534", of the row of 33436-33655.
  EXPECT_FALSE(find_port(kUdp, 33500)->unauthorized_use.empty());
  EXPECT_TRUE(find_port(kUdp, 33535)->unauthorized_use.empty());
}

TEST(Registry, NamesAreFoundWithoutRegardToCase) {
  for (const char* name : {"https", "HTTPS", "HttpS"}) {
    const auto places = find_service(name);
    ASSERT_FALSE(places.empty()) << name;
    EXPECT_EQ(places.front().ports, (PortRange{443, 443}));
    EXPECT_EQ(places.front().name, "https");
  }
  EXPECT_TRUE(find_service("").empty());
  EXPECT_TRUE(find_service("no-such-service").empty());
}

TEST(Registry, ANameWithoutPortIsKnownAsSuch) {
  EXPECT_TRUE(service_without_port("arp"));
  EXPECT_TRUE(find_service("arp").empty());
  EXPECT_FALSE(service_without_port("https"));
  EXPECT_FALSE(service_without_port("no-such-service"));
}

TEST(Registry, EveryNameLeadsToAPortThatHasIt) {
  for (const std::string_view name : service_names()) {
    const auto places = find_service(name);
    ASSERT_FALSE(places.empty()) << name;
    for (const ServicePort& place : places) {
      const auto entry = find_port(place.protocol, place.ports.first);
      ASSERT_TRUE(entry) << name;
      const auto aliases = aliases_of(place.protocol, place.ports.first);
      EXPECT_TRUE(entry->service == place.name || std::ranges::count(aliases, place.name) == 1) << name;
    }
  }
}

TEST(Registry, EveryServiceOfAPortIsFoundByItsName) {
  std::array<std::size_t, kPortProtocols.size()> assigned{};
  for (const PortProtocol protocol : kPortProtocols)
    for (std::uint32_t port = 0; port < 49152; ++port) {
      const std::string_view service = service_of(protocol, static_cast<std::uint16_t>(port));
      if (service.empty()) continue;
      ++assigned[static_cast<std::size_t>(protocol)];
      const auto places = find_service(service);
      ASSERT_TRUE(std::ranges::any_of(places,
                                      [&](const ServicePort& p) {
                                        return p.protocol == protocol &&
                                               p.ports.contains(static_cast<std::uint16_t>(port));
                                      }))
          << service << ' ' << port;
    }
  EXPECT_EQ(assigned, registry_facts().assigned);
}

TEST(Registry, TextsAreOneLine) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  for (const PortProtocol protocol : kPortProtocols)
    for (std::uint32_t port = 0; port < 49152; ++port) {
      const PortEntry entry = find_port(protocol, static_cast<std::uint16_t>(port)).value_or(PortEntry());
      ASSERT_TRUE(std::ranges::none_of(entry.description, control)) << entry.description;
      ASSERT_TRUE(std::ranges::none_of(entry.notes, control)) << entry.notes;
      ASSERT_TRUE(std::ranges::none_of(entry.unauthorized_use, control)) << entry.unauthorized_use;
    }
}

TEST(Registry, FactsAreThoseOfTheFile) {
  const RegistryFacts facts = registry_facts();
  EXPECT_EQ(facts.newest_entry.size(), std::string_view("YYYY-MM-DD").size());
  EXPECT_GE(facts.newest_entry, "2026-02-13");
  EXPECT_GT(facts.rows, 14000U);
  EXPECT_GT(facts.names, 7000U);
  EXPECT_EQ(facts.names - facts.names_without_port, service_names().size());
  EXPECT_GT(facts.unauthorized, 0U);
}

}  // namespace
}  // namespace pier
