#include "ports/services.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ports/common.h"
#include "ports/common_use.h"

namespace pier {
namespace {

TEST(Services, PortByNameAndTransport) {
  EXPECT_EQ(service_port("redis", "tcp"), 6379);
  EXPECT_EQ(service_port("HTTPS", "tcp"), 443);
  EXPECT_EQ(service_port("tftp", "udp"), 69);
  EXPECT_EQ(service_port("x11", "tcp"), 6000);
  EXPECT_EQ(service_port("redis", "udp"), std::nullopt);
  EXPECT_EQ(service_port("redis", "icmp"), std::nullopt);
  EXPECT_EQ(service_port("nosuch", "tcp"), std::nullopt);
  EXPECT_EQ(service_port("", "tcp"), std::nullopt);
}

TEST(Services, CustomaryNamesAndPortsAreUnderstood) {
  EXPECT_EQ(service_port("smtps", "tcp"), 465);
  EXPECT_EQ(service_port("postgres", "tcp"), 5432);
  EXPECT_EQ(service_port("http-alt", "tcp"), 8080);
  EXPECT_EQ(resolve_service("postgres").front().name, "postgresql");
}

TEST(Services, AMistypedNameHasANearOne) {
  EXPECT_EQ(nearest_service("htps"), "https");
  EXPECT_EQ(nearest_service("redsi"), "redis");
  EXPECT_EQ(nearest_service("POSTGRESQ"), "postgresql");
  EXPECT_EQ(nearest_service("zzzzzzzzzzzz"), "");
}

TEST(Services, AWordStandsForTheOnlyNameThatItCanMean) {
  EXPECT_EQ(meant_service("postgre"), "postgresql");
  EXPECT_EQ(meant_service("POSTGRE"), "postgresql");
  EXPECT_EQ(meant_service("mongo"), "mongodb");
  EXPECT_EQ(meant_service("mysq"), "mysql") << "mysql-proxy begins so too, but is far longer";
  EXPECT_EQ(meant_service("postgrsql"), "postgresql");
  EXPECT_EQ(meant_service("submisions"), "submissions");
}

TEST(Services, AWordThatMayMeanSeveralNamesOrNoneStandsForNone) {
  EXPECT_EQ(meant_service("etcd"), "") << "etcd-client, etcd-server";
  EXPECT_EQ(meant_service("smpt"), "") << "the beginning of smpte, and smtp mistyped";
  EXPECT_EQ(meant_service("htps"), "") << "https, ftps";
  EXPECT_EQ(meant_service("imap9"), "") << "imap, imap3, imaps";
  for (const char* word :
       {"", "p", "po", "nginx", "kafka", "elastic", "sqlserver", "zzzzzzzzzzzz", "80abc", "0x50", "arp"})
    EXPECT_EQ(meant_service(word), "") << word;
}

TEST(Services, TlsIsForWhatBeginsWithIt) {
  for (const char* name : {"https", "IMAPS", "ldaps", "submissions", "smtps", "pop3s", "ircs-u", "sips",
                           "secure-mqtt", "domain-s", "nntps", "telnets", "ftps", "amqps"})
    EXPECT_TRUE(is_tls_service(name)) << name;
  for (const char* name : {"http", "smtp", "submission", "imap", "ldap", "ssh", "redis", "", "http-alt"})
    EXPECT_FALSE(is_tls_service(name)) << name;
}

TEST(Services, EveryTlsServiceHasAPortAndASource) {
  for (const TlsService& service : tls_services()) {
    EXPECT_TRUE(service_port(service.name, "tcp")) << service.name;
    EXPECT_NE(service.source[0], '\0') << service.name;
  }
}

TEST(CommonUse, RowsAreInOrderAndHaveTextAndSource) {
  for (const CommonUse& use : common_uses()) {
    EXPECT_NE(use.what[0], '\0') << use.port;
    EXPECT_NE(use.source[0], '\0') << use.port;
    EXPECT_FALSE(use.protocols.empty()) << use.port;
  }
}

TEST(CommonUse, AgreesWithTheCommonPortsOnTheTransport) {
  std::size_t in_both = 0;
  common_ports().for_each([&](std::uint16_t port, PortProtocol protocol) {
    if (std::ranges::find(common_uses(), port, &CommonUse::port) == common_uses().end()) return;
    EXPECT_FALSE(common_uses_of(protocol, port).empty()) << port << "/" << to_string(protocol);
    ++in_both;
  });
  EXPECT_GT(in_both, 30U);
}

TEST(CommonUse, IsFoundByPortAndTransport) {
  ASSERT_EQ(common_uses_of(PortProtocol::tcp, 6443).size(), 1U);
  EXPECT_STREQ(common_uses_of(PortProtocol::tcp, 6443)[0]->what, "Kubernetes API server");
  EXPECT_TRUE(common_uses_of(PortProtocol::udp, 6443).empty());
  EXPECT_GT(common_uses_of(PortProtocol::tcp, 9000).size(), 1U);
  EXPECT_TRUE(common_uses_of(PortProtocol::tcp, 22).empty());
}

}  // namespace
}  // namespace pier
