#include "net/targets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/fd.h"
#include "scan/plan.h"

namespace pier {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TargetSpec spec(std::string_view words) {
  TargetSpec made;
  EXPECT_TRUE(parse_target_words(words, made)) << words;
  return made;
}

Result<std::vector<IpAddress>> lookup(const std::string& name) {
  if (name == "db") return std::vector{ip("10.0.0.5"), ip("2001:db8::5")};
  if (name == "alias") return std::vector{ip("10.0.0.5")};
  return system_error("resolve", name, ENOENT);
}

class TargetFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = ::testing::TempDir() + "pier-targets.XXXXXX";
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
  }
  void TearDown() override {
    for (const std::string& path : written_) ::unlink(path.c_str());
    ::rmdir(folder_.c_str());
  }
  std::string file(const std::string& text) {
    written_.push_back(folder_ + "/" + std::to_string(written_.size()));
    std::ofstream(written_.back()) << text;
    return written_.back();
  }
  std::string folder_;
  std::vector<std::string> written_;
};

TEST(TargetSet, ScansEveryAddressOfAName) {
  const auto set = TargetSet::make(spec("db"), {}, lookup);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->addresses().size(), Uint128{2});
  EXPECT_EQ(set->host_of(ip("10.0.0.5")), "db");
  EXPECT_EQ(set->host_of(ip("2001:db8::5")), "db");
}

TEST(TargetSet, CountsAnAddressOnceAndKeepsTheFirstName) {
  const auto set = TargetSet::make(spec("10.0.0.0/29,alias,db,10.0.0.5"), {}, lookup);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->addresses().size(), Uint128{9});
  EXPECT_EQ(set->host_of(ip("10.0.0.5")), "alias");
  EXPECT_EQ(set->host_of(ip("10.0.0.4")), "10.0.0.4");
}

TEST(TargetSet, ExclusionsWinInEveryForm) {
  EXPECT_TRUE(TargetSet::make(spec("10.0.0.5"), spec("db"), lookup)->addresses().empty());
  EXPECT_TRUE(TargetSet::make(spec("10.0.0.5"), spec("10.0.0-3.1-254"), lookup)->addresses().empty());
  EXPECT_EQ(TargetSet::make(spec("db"), spec("10.0.0.0/8"), lookup)->addresses().size(), Uint128{1});
}

TEST(TargetSet, ANameThatDoesNotResolveFailsTheWhole) {
  for (const auto& [wanted, excluded] : {std::pair{"10.0.0.1,nosuch", "10.0.0.9"}, {"10.0.0.1", "nosuch"}}) {
    const auto set = TargetSet::make(spec(wanted), spec(excluded), lookup);
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().kind, ErrorKind::failed);
    EXPECT_NE(set.error().message().find("nosuch"), std::string::npos);
  }
}

TEST_F(TargetFiles, ReadsListsFromFilesAndStandardInput) {
  const std::string hosts = file("10.0.0.1 # one\n\n10.0.0.2,10.0.0.3\n");
  const std::string input = file("10.0.0.9\n");
  const Fd stdin_file(::open(input.c_str(), O_RDONLY | O_CLOEXEC));
  TargetLists lists(stdin_file.get(), [] { FAIL() << "a file is no terminal"; });
  const std::vector<std::string> words{"@" + hosts, "-", "10.0.0.4"};
  const auto read = lists.read(words);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(AddressSet(read->ranges).size(), Uint128{5});
  const std::vector<std::string> again{"-"};
  EXPECT_EQ(lists.read(again).error().kind, ErrorKind::usage);
}

TEST_F(TargetFiles, SaysWhichFileAndLine) {
  const std::string hosts = file("10.0.0.1\n75.748.86.91\n");
  TargetLists lists(-1, [] {});
  const std::vector<std::string> words{"@" + hosts};
  const auto bad = lists.read(words);
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().message().starts_with(hosts + ":2: target '75.748.86.91'"))
      << bad.error().message();
  const std::vector<std::string> missing{"@" + folder_ + "/none"};
  EXPECT_EQ(lists.read(missing).error().kind, ErrorKind::local);
  const std::vector<std::string> directory{"@" + folder_};
  EXPECT_EQ(lists.read(directory).error().kind, ErrorKind::local);
  const std::vector<std::string> nothing{"@"};
  EXPECT_EQ(lists.read(nothing).error().kind, ErrorKind::usage);
}

PortSet ports(std::string_view text) {
  return parse_port_set(text, {}).value();
}

TEST(ProbePlan, AsksEveryPairOnceOverAllShards) {
  const auto targets = TargetSet::make(spec("10.0.0.0/28,::1"), {}, lookup).value();
  std::vector<std::string> asked;
  for (std::uint64_t index = 1; index <= 3; ++index) {
    const auto plan = ProbePlan::make(targets, ports("T:22,80,443,U:53"), 7, {index, 3});
    ASSERT_TRUE(plan);
    for (std::uint64_t i = 0; i < plan->size(); ++i) {
      const Pair pair = plan->at(i);
      asked.push_back(pair.address.to_string() + " " + std::to_string(pair.port) +
                      std::string(to_string(pair.protocol)));
    }
  }
  EXPECT_EQ(asked.size(), 17U * 4);
  std::ranges::sort(asked);
  EXPECT_EQ(std::ranges::unique(asked).begin(), asked.end()) << "a pair was asked twice";
}

TEST(ProbePlan, HoldsSetsPast32BitsAndRefusesThosePast64) {
  const auto slash8 =
      ProbePlan::make(TargetSet::make(spec("10.0.0.0/8"), {}, lookup).value(), ports("-"), 1, {});
  ASSERT_TRUE(slash8);
  EXPECT_EQ(slash8->size(), std::uint64_t{16777216} * 65535);
  const auto v6 =
      ProbePlan::make(TargetSet::make(spec("2001:db8::/65"), {}, lookup).value(), ports("443"), 1, {});
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->size(), std::uint64_t{1} << 63);
  EXPECT_EQ(v6->at(v6->size() - 1).port, 443);
  for (const char* words : {"2001:db8::/64", "::/0"}) {
    const auto huge = ProbePlan::make(TargetSet::make(spec(words), {}, lookup).value(), ports("443"), 1, {});
    ASSERT_FALSE(huge);
    EXPECT_EQ(huge.error().kind, ErrorKind::usage);
    EXPECT_NE(huge.error().message().find("2^64"), std::string::npos);
  }
  const auto none = ProbePlan::make(TargetSet::make(spec("10.0.0.1"), spec("10.0.0.0/8"), lookup).value(),
                                    ports("1"), 1, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace pier
