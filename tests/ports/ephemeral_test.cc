#include "ports/ephemeral.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

namespace pier {
namespace {

// A folder that looks like /proc/sys/net/ipv4.
class Ephemeral : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "pier-ephemeral-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  HostPorts read(std::optional<std::string> range, std::optional<std::string> reserved,
                 std::optional<std::string> unprivileged) {
    put("ip_local_port_range", range);
    put("ip_local_reserved_ports", reserved);
    put("ip_unprivileged_port_start", unprivileged);
    return read_host_ports(root_);
  }

 private:
  void put(const char* name, const std::optional<std::string>& text) {
    std::filesystem::remove(root_ + "/" + name);
    if (text) std::ofstream(root_ + "/" + name) << *text;
  }
  std::string root_;
};

TEST_F(Ephemeral, ReadsWhatTheKernelWrites) {
  const HostPorts host = read("10000\t20000\n", "8080,9000-9100\n", "80\n");
  EXPECT_EQ(host.ephemeral, (PortRange{10000, 20000}));
  EXPECT_EQ(host.reserved, (std::vector<PortRange>{{8080, 8080}, {9000, 9100}}));
  EXPECT_EQ(host.unprivileged_start, 80);
  EXPECT_TRUE(host.ephemeral_known && host.reserved_known && host.unprivileged_known);

  EXPECT_TRUE(host.is_ephemeral(10000) && host.is_ephemeral(20000));
  EXPECT_FALSE(host.is_ephemeral(9999) || host.is_ephemeral(20001));
  EXPECT_TRUE(host.is_reserved(8080) && host.is_reserved(9000) && host.is_reserved(9100));
  EXPECT_FALSE(host.is_reserved(8081) || host.is_reserved(9101));
  EXPECT_TRUE(host.is_privileged(79) && host.is_privileged(1));
  EXPECT_FALSE(host.is_privileged(80));
  EXPECT_FALSE(host.is_privileged(0)) << "the kernel chooses a port, and never a privileged one";
}

TEST_F(Ephemeral, AnEmptyReservedListIsAKnownOne) {
  const HostPorts host = read("32768\t60999\n", "\n", "1024\n");
  EXPECT_TRUE(host.reserved_known);
  EXPECT_TRUE(host.reserved.empty());
}

TEST_F(Ephemeral, NoPrivilegeAtAllWhereTheHostSaysSo) {
  EXPECT_FALSE(read("32768\t60999\n", "\n", "0\n").is_privileged(22));
}

TEST_F(Ephemeral, MissingFilesLeaveTheKernelsDefaults) {
  const HostPorts host = read({}, {}, {});
  EXPECT_EQ(host.ephemeral, (PortRange{32768, 60999}));
  EXPECT_TRUE(host.reserved.empty());
  EXPECT_EQ(host.unprivileged_start, 1024);
  EXPECT_FALSE(host.ephemeral_known || host.reserved_known || host.unprivileged_known);
}

TEST_F(Ephemeral, AnythingNotInTheKernelsFormIsNotBelieved) {
  for (const char* bad :
       {"", "\n", "32768", "32768 60999\n", "60999\t32768\n", "1\t2\t3\n", "x\ty\n", "1\t65536\n"})
    EXPECT_FALSE(read(bad, {}, {}).ephemeral_known) << bad;
  for (const char* bad :
       {"80,\n", ",80\n", "80,,81\n", "9-8\n", "80 81\n", "90,80\n", "1-5,5\n", "65536\n", "-5\n"}) {
    const HostPorts host = read({}, bad, {});
    EXPECT_FALSE(host.reserved_known) << bad;
    EXPECT_TRUE(host.reserved.empty()) << bad;
  }
  for (const char* bad : {"", "\n", "-1\n", "65536\n", "80x\n"})
    EXPECT_FALSE(read({}, {}, bad).unprivileged_known) << bad;
}

TEST(EphemeralHere, ThisHostsSettingsAreSane) {
  const HostPorts host = read_host_ports();
  EXPECT_LE(host.ephemeral.first, host.ephemeral.last);
  EXPECT_GT(host.ephemeral.first, 0);
}

}  // namespace
}  // namespace pier
