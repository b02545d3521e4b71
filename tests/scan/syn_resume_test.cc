// A scan by SYNs that is cut off, and goes on in another process from what its journal was left.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "scan/checkpoint.h"
#include "scan/syn_engine.h"
#include "tests/scan/fake_wire.h"

namespace pier {
namespace {

using Kind = SynReply::Kind;
using namespace std::chrono_literals;
using fake::FakeWire;
using fake::plan_of;

// Keeps the last checkpoint as text, as a file would be, and can cut the scan off as a kill would.
class MemoryJournal final : public ScanJournal {
 public:
  bool due(TimePoint) const override { return looks_++ % between == 0; }
  bool before_results(const ScanProgress& progress, std::span<const PortResult>, bool complete) override {
    if (cut_when && cut_when(progress)) return false;
    Checkpoint checkpoint;
    checkpoint.progress = progress;
    checkpoint.complete = complete;
    text = checkpoint.to_text();
    ++written;
    return true;
  }
  bool after_results(const ScanProgress&, bool) override { return true; }

  [[nodiscard]] Checkpoint last() const { return *Checkpoint::parse(text, "memory"); }

  std::function<bool(const ScanProgress&)> cut_when;
  unsigned between = 4;
  unsigned written = 0;
  std::string text;

 private:
  mutable unsigned looks_ = 0;
};

struct Told : fake::Results {
  bool crowded(const CrowdedHost& host) override {
    crowds.push_back(host);
    return true;
  }
  std::vector<CrowdedHost> crowds;
};

// Some runs of one scan, all told to the same ear.
struct Runs {
  explicit Runs(const ProbePlan& asked) : plan(asked) {}

  // One run, cut off when that says so; whether it came to its end.
  ScanEnd run(FakeWire& wire, std::function<bool(const ScanProgress&)> cut_when) {
    MemoryJournal journal;
    journal.between = between;
    journal.cut_when = std::move(cut_when);
    limits.journal = &journal;
    SynEngine engine(plan, wire, limits, told, nullptr, nullptr);
    if (!text.empty()) {
      EXPECT_TRUE(SynEngine::fits(plan, progress())) << text;
      engine.restore(progress());
    }
    const ScanEnd end = engine.run();
    stats = engine.stats();
    if (journal.written > 0) text = journal.text;
    return end;
  }
  [[nodiscard]] ScanProgress progress() const { return Checkpoint::parse(text, "memory")->progress; }
  void expect_each_once() const {
    std::map<std::uint64_t, unsigned> times;
    for (const PortResult& result : told.all) ++times[result.index];
    EXPECT_EQ(times.size(), plan.size());
    for (const auto& [index, count] : times) EXPECT_EQ(count, 1U) << index;
    EXPECT_EQ(stats.done(), plan.size());
  }

  const ProbePlan& plan;
  ScanLimits limits{.rate = 1'000'000, .timeout = 4ms};
  unsigned between = 4;
  Told told;
  ScanStats stats;
  std::string text;
};

// Every hundredth port is open, every third silent.
std::optional<Kind> some_answer(const SynProbe& probe) {
  if (probe.port % 100 == 0) return Kind::syn_ack;
  if (probe.port % 3 == 0 || probe.port >= 49152) return std::nullopt;
  return Kind::reset;
}

std::set<std::uint16_t> open_ports(std::uint16_t last) {
  std::set<std::uint16_t> ports;
  for (std::uint16_t port = 100; port <= last; port = static_cast<std::uint16_t>(port + 100))
    ports.insert(port);
  return ports;
}

TEST(SynResume, CutOffAgainAndAgainItTellsEachPairOnce) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1500");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.part = 450;  // so that it is cut off in each of four parts, and between them
  runs.limits.retries = 5;
  std::minstd_rand chance(3);
  unsigned count = 0;
  for (; count < 1000; ++count) {
    FakeWire wire(
        [&](const SynProbe& probe) { return chance() % 20 == 0 ? std::nullopt : some_answer(probe); });
    // Each run comes further than the one before, and is cut off at the checkpoint after that.
    const auto place = [](const ScanProgress& at) {
      return std::tuple(at.next, at.syn->round, at.syn->cursor / 50);
    };
    const auto begin =
        runs.text.empty() ? std::tuple(std::uint64_t{0}, 1U, std::uint64_t{0}) : place(runs.progress());
    unsigned further = 0;
    const auto cut = [&](const ScanProgress& at) { return place(at) > begin && further++ > 0; };
    if (runs.run(wire, cut) == ScanEnd::complete) break;
  }
  EXPECT_GT(count, 3U);
  runs.expect_each_once();
  EXPECT_EQ(runs.told.ports(PortState::open), open_ports(1500));
  EXPECT_EQ(runs.stats.hosts_up, 1U);
  EXPECT_EQ(runs.stats.answers + runs.stats.silent, 1500U);
  EXPECT_TRUE(Checkpoint::parse(runs.text, "memory")->complete);
}

// Each silent pair has then got its probes in full, of those that somebody waited for.
void cut_in_round(unsigned round) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-3000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.rate = 60'000;  // a round takes many times the timeout
  runs.limits.retries = 2;
  std::map<std::uint16_t, unsigned> waited_for;
  FakeWire first(some_answer);
  std::vector<std::pair<TimePoint, std::uint16_t>> sent;
  first.fault = [&](const SynProbe& probe) {
    sent.emplace_back(now(), probe.port);
    return false;
  };
  const ScanEnd end = runs.run(first, [&](const ScanProgress& progress) {
    return progress.syn->round == round && progress.syn->cursor > 500;
  });
  ASSERT_EQ(end, ScanEnd::unwanted);
  const ScanProgress progress = runs.progress();
  EXPECT_EQ(progress.syn->round, round);
  EXPECT_GT(progress.syn->cursor, 0U);
  EXPECT_LE(progress.syn->cursor, 500U) << "the one before the cut";
  EXPECT_FALSE(progress.syn->settled.empty());
  EXPECT_FALSE(progress.syn->known.empty());
  FakeWire second(some_answer);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  runs.expect_each_once();
  EXPECT_EQ(runs.told.ports(PortState::open), open_ports(3000));
  for (const PortResult& result : runs.told.all) {
    if (result.state != PortState::filtered) continue;
    EXPECT_EQ(result.tries, 3U);
    const std::uint64_t place = result.index;
    const unsigned counted = place < progress.syn->cursor ? round : round - 1;
    // No answered or counted probe is sent again, none is left out.
    EXPECT_EQ(second.tries_[std::pair(result.address, result.port)], 3 - counted) << result.port;
    EXPECT_GE(std::ranges::count(sent, result.port, &std::pair<TimePoint, std::uint16_t>::second),
              std::ptrdiff_t{counted});
  }
}

TEST(SynResume, CutOffInTheFirstRoundItGoesOnThere) {
  cut_in_round(1);
}
TEST(SynResume, CutOffInTheSecondRoundItGoesOnThere) {
  cut_in_round(2);
}
TEST(SynResume, CutOffInTheLastRoundItGoesOnThere) {
  cut_in_round(3);
}

TEST(SynResume, CutOffBetweenPartsItDoesNotGoBack) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-2000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.part = 500;
  FakeWire first(some_answer);
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.next == 1000 && at.syn->cursor == 0; }),
            ScanEnd::unwanted);
  EXPECT_LE(runs.progress().next, 1000U);
  FakeWire second(some_answer);
  std::set<std::uint64_t> asked;
  second.fault = [&](const SynProbe& probe) {
    if (probe.lane < second.lanes_ - 1)
      asked.insert(*plan.index_of(probe.address, probe.port, PortProtocol::tcp));
    return false;
  };
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  runs.expect_each_once();
  // What the first run had told was not asked again, but for checks.
  EXPECT_GE(asked.size(), 1000U);
  EXPECT_GE(*asked.begin(), runs.limits.part);
}

TEST(SynResume, ProbesOfTheLastTimeoutCountAsNotSent) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.timeout = 10s;
  runs.limits.deadline = Deadline(now() + 50ms);
  FakeWire silent([](const SynProbe&) -> std::optional<Kind> { return std::nullopt; });
  ASSERT_EQ(runs.run(silent, nullptr), ScanEnd::deadline);
  EXPECT_GT(silent.sent_, 0U);
  EXPECT_EQ(runs.progress().syn->cursor, 0U);
  EXPECT_EQ(runs.progress().syn->round, 1U);
  EXPECT_TRUE(runs.told.all.empty());
  EXPECT_FALSE(Checkpoint::parse(runs.text, "memory")->complete);
}

TEST(SynResume, ChecksGoOnWithWhatWasKnownToAnswer) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-4000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.rate = 100'000;
  runs.limits.retries = 5;
  FakeWire first(some_answer);
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.syn->round == 2; }), ScanEnd::unwanted);
  const std::uint64_t before = runs.progress().stats.checks;
  FakeWire second(some_answer);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  EXPECT_GT(runs.stats.checks, before);
  EXPECT_EQ(runs.stats.checks_lost, 0U);
}

TEST(SynResume, CanariesThatWereOutAreAskedAgainAndNoOpenPortIsLost) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.2", "22,80,1000-2000");
  const auto tarpit = [](const SynProbe& probe) -> std::optional<Kind> {
    if (probe.address == *IpAddress::parse("192.0.2.1")) return Kind::syn_ack;
    return probe.port == 22 ? Kind::syn_ack : Kind::reset;
  };
  Runs runs(plan);
  runs.between = 1;
  runs.limits.timeout = 1s;
  // The first run hears nothing of its canaries.
  FakeWire first([&](const SynProbe& probe) {
    return plan.asks(probe.port, PortProtocol::tcp) ? tarpit(probe) : std::nullopt;
  });
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.syn->held.size() > 500; }),
            ScanEnd::unwanted);
  const std::size_t held = runs.progress().syn->held.size();
  EXPECT_GT(held, 0U);
  EXPECT_EQ(runs.told.ports(PortState::open).size(), 0U);
  FakeWire second(tarpit);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  runs.expect_each_once();
  EXPECT_EQ(runs.told.ports(PortState::open), std::set<std::uint16_t>{22});
  EXPECT_EQ(runs.told.ports(PortState::suspect).size(), 1003U);
  EXPECT_EQ(runs.stats.suspects, 1U);
  EXPECT_EQ(runs.stats.hosts_up, 2U);
  for (const PortResult& result : runs.told.all) EXPECT_TRUE(result.rtt) << result.port;
}

TEST(SynResume, WhatIsKnownOfHostsIsNotAskedAgain) {
  const ProbePlan plan = plan_of("192.0.2.0", "192.0.2.99", "22,80,100-140");
  const auto hosts = [&](const SynProbe& probe) -> std::optional<Kind> {
    const bool suspect = to_number(probe.address) % 10 == 0;
    if (!plan.asks(probe.port, PortProtocol::tcp))
      return suspect ? std::optional(Kind::syn_ack) : Kind::reset;
    if (probe.port == 22) return Kind::syn_ack;
    return probe.port == 80 ? std::optional(Kind::reset) : std::nullopt;
  };
  Runs runs(plan);
  runs.between = 1;
  FakeWire first(hosts);
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.syn->round == 2; }), ScanEnd::unwanted);
  EXPECT_EQ(runs.progress().stats.hosts_up, 100U);
  FakeWire second(hosts);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  runs.expect_each_once();
  EXPECT_EQ(runs.stats.hosts_up, 100U);
  EXPECT_EQ(runs.stats.suspects, 10U);
  EXPECT_EQ(runs.stats.canaries, 200U);
}

TEST(SynResume, OfACrowdTheNumberIsWholeAndToldOnce) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-2000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.part = 1000;
  runs.limits.max_open = 5;
  FakeWire first(some_answer);
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.next == 1000 && at.syn->cursor > 100; }),
            ScanEnd::unwanted);
  EXPECT_EQ(runs.progress().syn->held.size(), 5U);
  EXPECT_EQ(runs.progress().crowds.size(), 1U);
  // A deadline comes in between, which tells nothing that whoever goes on would tell again.
  runs.limits.deadline = Deadline(now());
  FakeWire second(some_answer);
  ASSERT_EQ(runs.run(second, nullptr), ScanEnd::deadline);
  EXPECT_TRUE(runs.told.crowds.empty());
  runs.limits.deadline = {};
  FakeWire third(some_answer);
  EXPECT_EQ(runs.run(third, nullptr), ScanEnd::complete);
  ASSERT_EQ(runs.told.crowds.size(), 1U);
  EXPECT_EQ(runs.told.crowds[0].open, 20U);
  EXPECT_EQ(runs.told.all.size() + 20, plan.size());
  EXPECT_EQ(runs.stats.done(), plan.size());
  // Again from its end: nothing is added.
  FakeWire fourth(some_answer);
  EXPECT_EQ(runs.run(fourth, nullptr), ScanEnd::complete);
  EXPECT_EQ(fourth.sent_, 0U);
  EXPECT_EQ(runs.told.crowds.size(), 1U);
  EXPECT_EQ(runs.stats.done(), plan.size());
}

TEST(SynResume, WhatAFaultOfThisHostLeftIsAskedByWhoeverGoesOn) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-3000");
  Runs runs(plan);
  FakeWire first(some_answer);
  first.trouble_after_ = 1000;
  first.fault = [&](const SynProbe&) { return first.sent_ >= 1000; };  // comes first
  ASSERT_EQ(runs.run(first, nullptr), ScanEnd::failed);
  EXPECT_EQ(runs.told.ports(PortState::error).size(), 0U);
  FakeWire second(some_answer);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  runs.expect_each_once();
  EXPECT_EQ(runs.told.ports(PortState::open), open_ports(3000));
}

TEST(SynResume, ElapsedTimeAndNumbersAddUp) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-3000");
  Runs runs(plan);
  runs.between = 1;
  runs.limits.rate = 60'000;
  FakeWire first(some_answer);
  ASSERT_EQ(runs.run(first, [](const ScanProgress& at) { return at.syn->cursor > 1000; }), ScanEnd::unwanted);
  const ScanStats before = runs.progress().stats;
  EXPECT_GT(before.elapsed, 10ms);
  FakeWire second(some_answer);
  EXPECT_EQ(runs.run(second, nullptr), ScanEnd::complete);
  EXPECT_GT(runs.stats.elapsed, before.elapsed);
  EXPECT_EQ(runs.stats.probes + runs.stats.checks + runs.stats.canaries,
            before.probes + before.checks + before.canaries + second.sent_);
}

TEST(SynResume, ProgressOfAnotherScanIsRefused) {
  const ProbePlan plan = plan_of("192.0.2.1", "192.0.2.1", "1-1000");
  const auto refused = [&](const ScanProgress& progress) { return !SynEngine::fits(plan, progress); };
  const auto progress = [](std::uint64_t next, std::uint64_t size) {
    ScanProgress at;
    at.next = next;
    at.syn.emplace().size = size;
    return at;
  };
  EXPECT_FALSE(refused(progress(0, 1000)));
  EXPECT_FALSE(refused(progress(0, 10)));
  EXPECT_FALSE(refused(progress(1000, 0)));
  EXPECT_TRUE(refused(progress(0, 0)));
  EXPECT_TRUE(refused(progress(0, 1001)));
  EXPECT_TRUE(refused(progress(1001, 0)));
  EXPECT_TRUE(refused({}));
}

}  // namespace
}  // namespace pier
