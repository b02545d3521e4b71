#include "scan/syn_engine.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "tests/scan/fake_wire.h"

namespace pier {
namespace {

using Kind = SynReply::Kind;
using namespace std::chrono_literals;
using fake::FakeWire;
using fake::plan_of;
using fake::Results;

// Keeps each probe for a while, as one that waits for a neighbour's address, and has no room for more than
// 100 of them.
class KeepingWire final : public FakeWire {
 public:
  using FakeWire::FakeWire;
  std::size_t room() const override { return kept_.size() >= 100 ? 0 : FakeWire::room(); }
  void queue(const SynProbe& probe, std::vector<SynFault>&) override { kept_.emplace_back(now(), probe); }
  Resumed resume(std::size_t most, std::vector<SynFault>& faults) override {
    Resumed resumed;
    for (; resumed.packets < most && FakeWire::room() > 0 && can_resume(); ++resumed.packets) {
      FakeWire::queue(kept_.front().second, faults);
      resumed.probes.push_back(kept_.front().second.tag);
      kept_.pop_front();
    }
    ++asked_;
    return resumed;
  }
  bool flush(std::vector<SynFault>& faults) override { return FakeWire::flush(faults) && room() > 0; }
  bool can_resume() const override { return !kept_.empty() && now() >= kept_.front().first + kKept; }

  static constexpr Duration kKept = 20ms;
  unsigned asked_ = 0;

 private:
  std::deque<std::pair<TimePoint, SynProbe>> kept_;
};

ScanLimits fast() {
  return {.rate = 1'000'000, .timeout = 30ms};
}

struct Scan {
  Scan(const ProbePlan& plan, FakeWire& wire, const ScanLimits& limits = fast())
      : engine(plan, wire, limits, results, nullptr, nullptr), end(engine.run()) {}
  Results results;
  SynEngine engine;
  ScanEnd end;
  const ScanStats& stats() const { return engine.stats(); }
};

TEST(SynEngine, TellsEachPairOnce) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1000");
  FakeWire wire([](const SynProbe& probe) -> std::optional<Kind> {
    if (probe.port % 100 == 0) return Kind::syn_ack;
    if (probe.port % 100 == 1) return Kind::icmp;
    return Kind::reset;
  });
  wire.copies_ = 3;  // a network that repeats packets
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.end, ScanEnd::complete);
  EXPECT_EQ(scan.results.all.size(), 1000U);
  EXPECT_EQ(scan.results.ports(PortState::open),
            (std::set<std::uint16_t>{100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}));
  EXPECT_EQ(scan.results.ports(PortState::filtered).size(), 10U);
  EXPECT_EQ(scan.results.ports(PortState::closed).size(), 980U);
  EXPECT_EQ(scan.stats().probes, 1000U);
  EXPECT_EQ(scan.stats().answers, 1000U);
  EXPECT_EQ(scan.stats().hosts_up, 1U);
  for (const PortResult& result : scan.results.all) {
    EXPECT_TRUE(result.rtt && *result.rtt < 1s);
    if (result.state == PortState::filtered) {
      EXPECT_EQ(result.reason, "icmp 3/13 (administratively prohibited)");
    }
  }
}

// The last ones go out when all have been queued for long.
TEST(SynEngine, WhatTheWireKeepsIsPacedAndWaitedFor) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.4", "1-100");
  KeepingWire wire([](const SynProbe&) { return Kind::reset; });
  ScanLimits limits = fast();
  limits.retries = 0;
  limits.rate = 4000;
  const TimePoint started = now();
  const Scan scan(plan, wire, limits);
  EXPECT_EQ(scan.results.ports(PortState::closed).size(), 100U);
  EXPECT_EQ(scan.stats().answers, 400U);
  // Each probe counts twice: as the request that goes in its place, and when it goes itself.
  EXPECT_GE(now() - started, 180ms);
  EXPECT_LT(wire.asked_, 20'000U) << "it waits busily for room";
  const auto quickest = std::ranges::min(scan.results.all, {}, &PortResult::rtt).rtt;
  EXPECT_LT(quickest, KeepingWire::kKept) << "the wait for the neighbour counts as the answer's way";
}

// Forgets the first probe, and says that it could not be sent when another part of the plan is asked.
class LateWire final : public FakeWire {
 public:
  using FakeWire::FakeWire;
  void queue(const SynProbe& probe, std::vector<SynFault>& faults) override {
    if (!late_) {
      late_ = probe.tag;
      return;
    }
    if (++queued_ == 100) faults.push_back({*late_, ENETDOWN});
    FakeWire::queue(probe, faults);
  }

 private:
  std::optional<std::uint64_t> late_;
  unsigned queued_ = 0;
};

TEST(SynEngine, AFaultOfAPartThatIsOverChangesNothing) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.4", "1-40");
  LateWire wire([](const SynProbe&) { return Kind::reset; });
  ScanLimits limits = fast();
  limits.retries = 0;
  limits.part = 64;
  const Scan scan(plan, wire, limits);
  EXPECT_EQ(scan.results.all.size(), 160U);
  EXPECT_EQ(scan.results.ports(PortState::error).size(), 0U);
  EXPECT_EQ(scan.stats().answers, 159U);
}

class CountingWire final : public FakeWire {
 public:
  using FakeWire::FakeWire;
  bool wait(const Deadline& until) override {
    ++waits_;
    return FakeWire::wait(until);
  }
  unsigned waits_ = 0;
};

TEST(SynEngine, CanariesAreWaitedForInPeace) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-10");
  CountingWire wire(
      [](const SynProbe& probe) { return probe.port == 5 ? std::optional(Kind::syn_ack) : std::nullopt; });
  ScanLimits limits = fast();
  limits.timeout = 400ms;
  const Scan scan(plan, wire, limits);
  EXPECT_EQ(scan.results.ports(PortState::open), std::set<std::uint16_t>{5});
  EXPECT_GT(scan.stats().canaries, 0U);
  EXPECT_LT(wire.waits_, 2000U);
}

TEST(SynEngine, SilentPairsAreAskedAgainFromOtherPorts) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-200");
  std::map<std::uint16_t, std::set<std::size_t>> lanes;
  FakeWire wire([&](const SynProbe& probe) -> std::optional<Kind> {
    if (probe.port <= 100) lanes[probe.port].insert(probe.lane);
    return std::nullopt;
  });
  ScanLimits limits = fast();
  limits.retries = 3;
  const Scan scan(plan, wire, limits);
  EXPECT_EQ(scan.results.ports(PortState::filtered).size(), 200U);
  EXPECT_EQ(scan.stats().probes, 800U);
  EXPECT_EQ(scan.stats().retries, 600U);
  EXPECT_EQ(scan.stats().silent, 200U);
  EXPECT_EQ(scan.stats().least_tries, 4U);
  for (const auto& [port, used] : lanes) EXPECT_EQ(used.size(), 4U);
  for (const PortResult& result : scan.results.all) {
    EXPECT_EQ(result.tries, 4U);
    EXPECT_EQ(result.reason, "no answer");
    EXPECT_FALSE(result.rtt);
  }
}

TEST(SynEngine, GoesOnAsLongAsARoundFindsSomething) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-100");
  std::map<std::uint16_t, unsigned> asked;
  FakeWire wire([&](const SynProbe& probe) -> std::optional<Kind> {
    // Port 1 is silent for good, 2 answers the second probe, 3 the third; all others the first.
    if (probe.lane == 7) return std::nullopt;
    const unsigned tries = ++asked[probe.port];
    if (probe.port == 1 || tries < (probe.port <= 3 ? probe.port : 1U)) return std::nullopt;
    return Kind::reset;
  });
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.results.ports(PortState::filtered), std::set<std::uint16_t>{1});
  EXPECT_EQ(asked[1], 4U) << "one more than the last round that found something";
  EXPECT_EQ(scan.stats().late_answers, 2U);
  EXPECT_EQ(scan.stats().answers_at[1], 1U);
  EXPECT_EQ(scan.stats().answers_at[2], 1U);
}

TEST(SynEngine, ByOneSourcePortTheSameIsFound) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-65535");
  std::minstd_rand chance(3);
  FakeWire wire([&](const SynProbe& probe) -> std::optional<Kind> {
    if (chance() % 10 == 0) return std::nullopt;
    return probe.port % 10'000 == 1 ? Kind::syn_ack : Kind::reset;
  });
  wire.lanes_ = 1;
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.stats().count(PortState::open), 7U);
  EXPECT_EQ(scan.stats().count(PortState::closed) + scan.stats().count(PortState::filtered), 65535U - 7);
  EXPECT_EQ(scan.stats().suspects, 0U);
}

TEST(SynEngine, LossIsEstimatedAndMadeUpFor) {
  const ProbePlan plan = plan_of("192.0.2.0", "192.0.2.255", "1-100");
  std::minstd_rand chance(5);
  FakeWire wire([&](const SynProbe& probe) -> std::optional<Kind> {
    if (chance() % 100 < 20 || probe.port <= 50) return std::nullopt;
    return Kind::reset;
  });
  const Scan scan(plan, wire);
  EXPECT_GE(scan.stats().count(PortState::closed), 256U * 50 * 999 / 1000);
  ASSERT_TRUE(scan.stats().estimated_loss());
  EXPECT_NEAR(*scan.stats().estimated_loss(), 0.2, 0.05);
  EXPECT_LT(*scan.stats().estimated_missed(), 0.01);
}

TEST(SynEngine, AHostThatAnswersOnCanariesIsSuspect) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.2", "22,80");
  FakeWire wire([](const SynProbe& probe) -> std::optional<Kind> {
    const bool tarpit = probe.address == *IpAddress::parse("192.0.2.1");
    return tarpit || probe.port == 22 ? Kind::syn_ack : Kind::reset;
  });
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.results.ports(PortState::suspect), (std::set<std::uint16_t>{22, 80}));
  EXPECT_EQ(scan.results.ports(PortState::open), (std::set<std::uint16_t>{22}));
  EXPECT_EQ(scan.stats().suspects, 1U);
}

TEST(SynEngine, WhatDoesNotLeaveThisHostIsAnError) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.2", "22,80");
  FakeWire wire([](const SynProbe&) { return Kind::reset; });
  wire.fault = [](const SynProbe& probe) { return probe.address == *IpAddress::parse("192.0.2.2"); };
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.stats().count(PortState::error), 2U);
  EXPECT_EQ(scan.stats().count(PortState::closed), 2U);
  EXPECT_EQ(scan.end, ScanEnd::complete);
}

TEST(SynEngine, AFullQueueLosesNothing) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-500");
  FakeWire wire([](const SynProbe&) { return Kind::reset; });
  wire.full_ = 20;
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.stats().count(PortState::closed), 500U);
  EXPECT_EQ(scan.stats().probes, 500U);
}

TEST(SynEngine, AQueueThatIsSlowIsWaitedForWithTheProbesInHand) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.2", "1-40");
  FakeWire wire([](const SynProbe&) { return Kind::reset; });
  wire.pause_ = 5ms;
  ScanLimits limits = fast();
  limits.retries = 0;
  const Scan scan(plan, wire, limits);
  EXPECT_EQ(scan.stats().count(PortState::closed), 80U);
  EXPECT_EQ(scan.stats().probes, 80U);
}

TEST(SynEngine, AnInterfaceThatGoesLeavesErrorsAndNothingFiltered) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-60000");
  FakeWire wire([](const SynProbe&) -> std::optional<Kind> { return std::nullopt; });
  wire.trouble_after_ = 100;
  const Scan scan(plan, wire);
  EXPECT_EQ(scan.end, ScanEnd::failed);
  EXPECT_EQ(scan.engine.failure()->message(), "interface eth0: is down");
  EXPECT_EQ(scan.stats().count(PortState::error), 60000U);
  EXPECT_EQ(scan.stats().count(PortState::filtered), 0U);
}

TEST(SynEngine, WhatTheRingDropsCountsAsLossAndIsTold) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1000");
  FakeWire wire([](const SynProbe& probe) -> std::optional<Kind> {
    return probe.port > 500 ? std::optional(Kind::reset) : std::nullopt;
  });
  wire.drops_ = 10;
  const Scan scan(plan, wire);
  ASSERT_FALSE(scan.results.notes.empty());
  EXPECT_TRUE(scan.results.notes[0].starts_with("this host cannot take in all answers"))
      << scan.results.notes[0];
  EXPECT_GE(scan.stats().checks_lost, 10U);
}

TEST(SynEngine, ShardsAskTheirPairsOnly) {
  std::set<std::uint16_t> all;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1000", {i, 3});
    FakeWire wire([](const SynProbe&) { return Kind::reset; });
    const Scan scan(plan, wire);
    for (const std::uint16_t port : scan.results.ports(PortState::closed))
      EXPECT_TRUE(all.insert(port).second);
  }
  EXPECT_EQ(all.size(), 1000U);
}

TEST(SynEngine, EndsAtTheDeadlineAndWhenNobodyWantsToKnow) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-60000");
  FakeWire wire([](const SynProbe&) -> std::optional<Kind> { return Kind::reset; });
  ScanLimits limits = fast();
  limits.rate = 100;
  limits.deadline = Deadline(now() + 50ms);
  EXPECT_EQ(Scan(plan, wire, limits).end, ScanEnd::deadline);
  Results nobody;
  nobody.wanted = false;
  EXPECT_EQ(SynEngine(plan, wire, fast(), nobody, nullptr, nullptr).run(), ScanEnd::unwanted);
}

TEST(ProbePlan, IndexOfIsTheInverseOfAt) {
  for (const std::uint64_t shards : {1U, 3U}) {
    const ProbePlan plan = plan_of("2001:db8::5", "2001:db8::64", "22,80,8000-8100", {shards, shards});
    for (std::uint64_t i = 0; i < plan.size(); ++i) {
      const Pair pair = plan.at(i);
      EXPECT_EQ(plan.index_of(pair.address, pair.port, pair.protocol), i);
    }
    EXPECT_FALSE(plan.index_of(*IpAddress::parse("2001:db8::4"), 80, PortProtocol::tcp));
    EXPECT_FALSE(plan.index_of(*IpAddress::parse("2001:db8::5"), 81, PortProtocol::tcp));
    EXPECT_FALSE(plan.index_of(*IpAddress::parse("2001:db8::5"), 80, PortProtocol::udp));
  }
}

}  // namespace
}  // namespace pier
