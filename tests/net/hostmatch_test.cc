#include "net/hostmatch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pier {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

Result<std::vector<IpAddress>> names(const std::string& name) {
  if (name == "both.test") return std::vector{ip("192.0.2.7"), ip("2001:db8::7")};
  return fail(ErrorKind::failed, "resolve", name, "name not known");
}

Result<AddressSet> list(std::vector<std::string> words) {
  std::vector<std::string> notes;
  return read_host_list("--allow", words, names, notes);
}

HostRules rules(std::vector<std::string> allow, std::vector<std::string> deny) {
  std::optional<AddressSet> allowed;
  if (!allow.empty()) allowed = list(std::move(allow)).value();
  return {std::move(allowed), deny.empty() ? AddressSet() : list(std::move(deny)).value()};
}

TEST(HostRules, WithoutListsEverybodyMayCome) {
  EXPECT_TRUE(HostRules().everybody());
  EXPECT_TRUE(HostRules().admit(ip("192.0.2.1")));
  EXPECT_TRUE(HostRules().admit(ip("::1")));
}

TEST(HostRules, ListsAddUpAndDenyBeatsAllow) {
  const HostRules some = rules({"10.0.0.0/8", "192.0.2.7,192.0.2.9"}, {"10.1.0.0/16", "192.0.2.9"});
  const struct {
    const char* address;
    bool admitted;
  } cases[] = {{"10.0.0.1", true},      {"10.255.255.255", true}, {"10.1.0.0", false},
               {"10.1.255.255", false}, {"10.2.0.0", true},       {"192.0.2.7", true},
               {"192.0.2.8", false},    {"192.0.2.9", false},     {"127.0.0.1", false},
               {"::1", false}};
  for (const auto& [address, admitted] : cases) EXPECT_EQ(some.admit(ip(address)), admitted) << address;
}

TEST(HostRules, DenyAloneLetsInTheRest) {
  const HostRules all_but = rules({}, {"2001:db8::/32"});
  EXPECT_FALSE(all_but.admit(ip("2001:db8::1")));
  EXPECT_TRUE(all_but.admit(ip("2001:db9::1")));
  EXPECT_TRUE(all_but.admit(ip("10.0.0.1")));
  EXPECT_FALSE(all_but.everybody());
}

TEST(HostRules, AMappedAddressIsJudgedAsIpv4BothWays) {
  EXPECT_TRUE(rules({"10.0.0.0/8"}, {}).admit(ip("::ffff:10.0.0.1")));
  EXPECT_FALSE(rules({}, {"10.0.0.1"}).admit(ip("::ffff:10.0.0.1")));
  EXPECT_FALSE(rules({}, {"::ffff:10.0.0.1"}).admit(ip("10.0.0.1")));
  EXPECT_FALSE(rules({}, {"::ffff:0:0/96"}).admit(ip("10.0.0.1")));
}

TEST(HostRules, AZoneMattersOnlyWhereTheListHasOne) {
  EXPECT_TRUE(rules({"fe80::/10"}, {}).admit(ip("fe80::1%lo")));
  EXPECT_TRUE(rules({"fe80::1%lo"}, {}).admit(ip("fe80::1%lo")));
  EXPECT_FALSE(rules({"fe80::1%lo"}, {}).admit(IpAddress(Family::ipv6, ip("fe80::1").bytes(), 9999)));
}

TEST(HostRules, OctetRangesRangesAndNames) {
  const HostRules some = rules({"10.0.0-3.1-254", "10.9.0.1-10.9.0.5", "both.test"}, {});
  for (const char* const in : {"10.0.3.254", "10.9.0.5", "192.0.2.7", "2001:db8::7"})
    EXPECT_TRUE(some.admit(ip(in))) << in;
  for (const char* const out : {"10.0.3.255", "10.0.4.1", "10.9.0.6", "2001:db8::8"})
    EXPECT_FALSE(some.admit(ip(out))) << out;
}

TEST(HostRules, AFileIsAList) {
  char path[] = "/tmp/pier.XXXXXX";
  const int fd = ::mkstemp(path);
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(path) << "# ours\n10.0.0.0/8   # all of it\n\n192.0.2.1, 192.0.2.3\n";
  const HostRules some = rules({"@" + std::string(path)}, {});
  EXPECT_TRUE(some.admit(ip("192.0.2.3")));
  EXPECT_FALSE(some.admit(ip("192.0.2.2")));
  std::ofstream(path) << "10.0.0.0/8\n10.0.0.0/99\n";
  const auto bad = list({"@" + std::string(path)});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind, ErrorKind::usage);
  EXPECT_TRUE(bad.error().message().starts_with(std::string(path) + ":2: --allow '10.0.0.0/99': "))
      << bad.error().message();
  std::ofstream(path) << "# nobody\n";
  EXPECT_FALSE(rules({"@" + std::string(path)}, {}).admit(ip("10.0.0.1")));  // an empty list lets in nobody
  std::filesystem::remove(path);
}

TEST(HostRules, WhatIsNoListIsRefusedByTheOptionsName) {
  const struct {
    const char* text;
    ErrorKind kind;
  } cases[] = {{"", ErrorKind::usage},
               {"10.0.0.0/33", ErrorKind::usage},
               {"-", ErrorKind::usage},
               {"10.0.0.5-1", ErrorKind::usage},
               {"1,,2", ErrorKind::usage},
               {"10.0.0.1:80", ErrorKind::usage},
               {"1.2.3", ErrorKind::usage},
               {"nosuch.test", ErrorKind::failed},
               {"@/no/such/file", ErrorKind::local}};
  for (const auto& [text, kind] : cases) {
    const auto read = list({text});
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, kind) << text;
    if (kind != ErrorKind::usage) continue;
    EXPECT_TRUE(read.error().message().starts_with("--allow '")) << read.error().message();
  }
}

TEST(HostRules, ASocketWithoutAnIpAddressIsNoMatterOfThem) {
  EXPECT_TRUE(rules({"10.0.0.0/8"}, {}).admit(SocketAddress::unix_path("/run/x").value()));
  EXPECT_FALSE(rules({"10.0.0.0/8"}, {}).admit(SocketAddress(ip("192.0.2.1"), 5)));
}

}  // namespace
}  // namespace pier
