#include "scan/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

namespace pier {
namespace {

using Kind = Judgement::Kind;

const Judgement kOpen{Kind::verdict, PortState::open, "syn-ack"};
const Judgement kClosed{Kind::verdict, PortState::closed, "refused"};
const Judgement kSilence{Kind::no_answer, PortState::filtered, "no answer"};
const Judgement kShortage{Kind::shortage, PortState::error, "too many open files"};
const Judgement kToItself{Kind::to_itself, PortState::error, "would connect to itself"};

// Answers by a function of the port and of how often it was asked; no more than `room` at a time.
class FakeProber final : public Prober {
 public:
  std::function<Judgement(std::uint16_t port, int asked)> answer = [](auto, auto) { return kClosed; };
  std::function<Judgement(const IpAddress&)> by_address;  // in place of `answer`
  std::size_t room = SIZE_MAX;
  bool interrupt = false;
  std::vector<std::uint16_t> sent;
  std::size_t most_in_flight = 0;

  void send(const ProbeRequest& request) override {
    if (ends_.size() >= room) {
      ends_.push_back({request.tag, kShortage, {}});
      return;
    }
    sent.push_back(request.port);
    const Judgement judgement =
        by_address ? by_address(request.address) : answer(request.port, ++asked_[request.port]);
    ends_.push_back({request.tag, judgement, std::chrono::microseconds(100)});
    most_in_flight = std::max(most_in_flight, ends_.size());
  }
  [[nodiscard]] std::size_t in_flight() const override { return ends_.size(); }
  // Lets half of them end, the rest stay in flight.
  bool collect(const Deadline& until, std::vector<ProbeEnd>& ended) override {
    if (ends_.empty() && until.never()) throw std::logic_error("it would wait for nothing, for ever");
    const auto half = static_cast<std::ptrdiff_t>((ends_.size() + 1) / 2);
    // Those for which there was no room are known first.
    std::ranges::stable_sort(ends_, {}, [](const ProbeEnd& e) { return e.judgement.kind != Kind::shortage; });
    ended.assign(ends_.begin(), ends_.begin() + half);
    ends_.erase(ends_.begin(), ends_.begin() + half);
    return interrupt;
  }

 private:
  std::vector<ProbeEnd> ends_;
  std::map<std::uint16_t, int> asked_;
};

class Keep final : public ScanObserver {
 public:
  std::map<std::uint16_t, PortResult> results;
  std::size_t wanted = SIZE_MAX;
  bool result(const PortResult& r) override {
    EXPECT_TRUE(results.emplace(r.port, r).second) << "port " << r.port << " reported twice";
    return results.size() < wanted;
  }
};

ProbePlan plan_of(std::string_view ports, std::string_view targets = "10.0.0.1") {
  TargetSpec spec;
  EXPECT_TRUE(parse_target_words(targets, spec));
  return ProbePlan::make(TargetSet::make(spec, {}, {}).value(), parse_port_set(ports, {}).value(), 1, {})
      .value();
}

TEST(Engine, ReportsEachPortOnce) {
  FakeProber prober;
  prober.answer = [](std::uint16_t port, int) { return port % 100 == 0 ? kOpen : kClosed; };
  Keep keep;
  const ProbePlan plan = plan_of("1-2000");
  ScanEngine engine(plan, prober, {.window = 64}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(keep.results.size(), 2000U);
  EXPECT_LE(prober.most_in_flight, 64U);
  EXPECT_GT(prober.most_in_flight, 48U);
  const ScanStats& stats = engine.stats();
  EXPECT_EQ(stats.probes, 2000U);
  EXPECT_EQ(stats.answers, 2000U);
  EXPECT_EQ(stats.retries, 0U);
  EXPECT_EQ(stats.count(PortState::open), 20U);
  EXPECT_EQ(stats.count(PortState::closed), 1980U);
  EXPECT_EQ(stats.hosts_up, 1U);
  EXPECT_EQ(stats.estimated_missed(), 0.0);
}

TEST(Engine, AsksTheSilentAgainAtTheEnd) {
  FakeProber prober;
  prober.answer = [](std::uint16_t port, int asked) {
    if (port == 5) return kSilence;
    return port % 2 == 0 && asked == 1 ? kSilence : kOpen;
  };
  Keep keep;
  const ProbePlan plan = plan_of("1-100");
  ScanEngine engine(plan, prober, {.window = 8, .retries = 2, .canaries = false}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(keep.results.at(5).state, PortState::filtered);
  EXPECT_EQ(keep.results.at(5).tries, 3U);
  EXPECT_FALSE(keep.results.at(5).rtt);
  EXPECT_EQ(keep.results.at(4).tries, 2U);
  EXPECT_EQ(keep.results.at(3).tries, 1U);
  const auto checks = static_cast<std::ptrdiff_t>(engine.stats().checks);
  const std::set<std::uint16_t> first_round(prober.sent.begin(), prober.sent.begin() + 100 + checks);
  EXPECT_EQ(first_round.size(), 100U) << "a retry went out before the first round was through";
  const ScanStats& stats = engine.stats();
  EXPECT_EQ(stats.probes, 100U + 50 + 2);
  EXPECT_EQ(stats.retries, 52U);
  EXPECT_NEAR(stats.estimated_loss().value(), 50.0 / (49 + 50), 0.03);
  EXPECT_EQ(stats.late_answers, 50U);
}

TEST(Engine, FewDescriptorsMakeItSlowerNotWrong) {
  FakeProber prober;
  prober.room = 3;
  Keep keep;
  const ProbePlan plan = plan_of("1-500");
  ScanEngine engine(plan, prober, {.window = 512}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::closed), 500U);
  EXPECT_EQ(engine.stats().probes, 500U) << "what had no room is no probe";
  EXPECT_EQ(engine.stats().retries, 0U);
}

TEST(Engine, AHostThatNeverHasRoomIsAnErrorNotClosed) {
  FakeProber prober;
  prober.room = 0;
  Keep keep;
  const ProbePlan plan = plan_of("1-20");
  ScanEngine engine(plan, prober, {.window = 4}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::error), 20U);
  EXPECT_EQ(keep.results.at(7).reason, "too many open files");
}

TEST(Engine, ASelfConnectIsAskedAgainAtOnceAndNeverOpen) {
  FakeProber prober;
  prober.answer = [](std::uint16_t port, int asked) {
    if (port == 1) return kToItself;
    return asked <= 3 ? kToItself : kClosed;
  };
  Keep keep;
  const ProbePlan plan = plan_of("1,2");
  ScanEngine engine(plan, prober, {}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(keep.results.at(1).state, PortState::error);
  EXPECT_EQ(keep.results.at(2).state, PortState::closed);
  EXPECT_EQ(keep.results.at(2).tries, 1U) << "meeting itself is no lost probe";
}

TEST(Engine, StopsWhenTheObserverHasEnough) {
  FakeProber prober;
  Keep keep;
  keep.wanted = 10;
  const ProbePlan plan = plan_of("1-1000");
  ScanEngine engine(plan, prober, {.window = 16}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::unwanted);
  EXPECT_EQ(keep.results.size(), 10U);
}

TEST(Engine, StopsAtADeadlineThatHasPassed) {
  FakeProber prober;
  Keep keep;
  const ProbePlan plan = plan_of("1-1000");
  ScanEngine engine(plan, prober, {.deadline = Deadline(now())}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::deadline);
  EXPECT_TRUE(prober.sent.empty());
}

TEST(Engine, StopsAtASignal) {
  auto interrupt = Interrupt::catch_signals();
  ASSERT_TRUE(interrupt);
  FakeProber prober;
  prober.interrupt = true;
  Keep keep;
  const ProbePlan plan = plan_of("1-1000");
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  ScanEngine engine(plan, prober, {.window = 16}, keep, &*interrupt);
  EXPECT_EQ(engine.run(), ScanEnd::interrupted);
  EXPECT_EQ(interrupt->taken(), SIGTERM);
  EXPECT_LT(keep.results.size(), 1000U);
}

// Without --retries: what is lost by chance is found, however often it takes.
TEST(Engine, GoesOnAskingWhileItFindsSomething) {
  FakeProber prober;
  prober.answer = [](std::uint16_t port, int asked) {
    if (port % 10 == 0) return kSilence;
    return asked > port % 6 ? kOpen : kSilence;  // up to six times
  };
  Keep keep;
  const ProbePlan plan = plan_of("1-300");
  ScanEngine engine(plan, prober, {.window = 64, .canaries = false}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::open), 270U);
  EXPECT_EQ(engine.stats().count(PortState::filtered), 30U);
  EXPECT_EQ(keep.results.at(10).tries, 7U) << "the seventh time found nothing";
}

TEST(Engine, SilenceAloneIsAskedThreeTimesAndSilenceBesideAnswersTwice) {
  for (const bool beside : {false, true}) {
    FakeProber prober;
    prober.answer = [&](std::uint16_t port, int) { return beside && port > 5 ? kClosed : kSilence; };
    Keep keep;
    const ProbePlan plan = plan_of("1-10");
    ScanEngine engine(plan, prober, {}, keep, nullptr);
    EXPECT_EQ(engine.run(), ScanEnd::complete);
    EXPECT_EQ(keep.results.at(3).tries, beside ? 2U : 3U);
  }
}

TEST(Engine, ManySilentPortsAreAllToldAtTheEnd) {
  FakeProber prober;
  prober.answer = [](std::uint16_t, int) { return kSilence; };
  Keep keep;
  const ProbePlan plan = plan_of("1-5000");
  ScanEngine engine(plan, prober, {}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::filtered), 5000U);
}

TEST(Engine, AHostThatIsOpenEverywhereIsSuspect) {
  FakeProber prober;
  prober.answer = [](auto, auto) { return kOpen; };
  Keep keep;
  const ProbePlan plan = plan_of("1-50");
  ScanEngine engine(plan, prober, {}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::suspect), 50U);
  EXPECT_EQ(engine.stats().suspects, 1U);
  EXPECT_EQ(engine.stats().canaries, 2U);
  EXPECT_EQ(engine.stats().probes, 50U) << "canaries are counted apart";
  EXPECT_EQ(keep.results.at(7).state, PortState::suspect);
}

TEST(Engine, OneCanaryThatIsNotAnsweredIsEnough) {
  FakeProber prober;
  int canaries = 0;
  prober.answer = [&](std::uint16_t port, int) {
    return port >= 49152 && canaries++ == 1 ? kSilence : kOpen;
  };
  Keep keep;
  const ProbePlan plan = plan_of("1-50");
  ScanEngine engine(plan, prober, {}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().count(PortState::open), 50U);
}

TEST(Engine, OfACrowdedHostOnlyTheNumberIsTold) {
  class Crowd final : public ScanObserver {
   public:
    std::vector<CrowdedHost> crowds;
    int open = 0;
    bool result(const PortResult& r) override {
      open += r.state == PortState::open ? 1 : 0;
      return true;
    }
    bool crowded(const CrowdedHost& host) override {
      crowds.push_back(host);
      return true;
    }
  };
  FakeProber prober;
  prober.by_address = [](const IpAddress& a) { return a.to_string() == "10.0.0.2" ? kOpen : kClosed; };
  Crowd crowd;
  const ProbePlan plan = plan_of("1-20", "10.0.0.1-3");
  ScanEngine engine(plan, prober, {.max_open = 19, .canaries = false}, crowd, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  ASSERT_EQ(crowd.crowds.size(), 1U);
  EXPECT_EQ(crowd.crowds[0].open, 20U);
  EXPECT_EQ(crowd.open, 0);
  EXPECT_EQ(engine.stats().count(PortState::open), 20U);
}

TEST(Engine, AHostThatThisOneCannotReachIsGivenUpAndNamed) {
  FakeProber prober;
  prober.by_address = [](const IpAddress& a) {
    return a.to_string() == "10.0.0.2" ? Judgement{Kind::verdict, PortState::error, "network is down"}
                                       : kClosed;
  };
  class Count final : public ScanObserver {
   public:
    int errors = 0;
    bool result(const PortResult& r) override {
      errors += r.state == PortState::error ? 1 : 0;
      return true;
    }
  } count;
  const ProbePlan plan = plan_of("1-2000", "10.0.0.1-2");
  ScanEngine engine(plan, prober, {.window = 16}, count, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(count.errors, 2000) << "each of its ports has a verdict";
  ASSERT_EQ(engine.given_up().size(), 1U);
  EXPECT_EQ(engine.given_up()[0].to_string(), "10.0.0.2");
  EXPECT_LT(engine.stats().probes, 2600U);
}

// A host that is slow to open its window must not hold up the others, nor be forgotten.
TEST(Engine, ASlowHostDoesNotHoldUpTheOthers) {
  FakeProber prober;
  std::map<std::string, int> asked;
  prober.by_address = [&](const IpAddress& a) {
    ++asked[a.to_string()];
    return a.to_string() == "10.0.0.1" ? kSilence : kClosed;
  };
  class Nobody final : public ScanObserver {
    bool result(const PortResult&) override { return true; }
  } nobody;
  const ProbePlan plan = plan_of("1-500", "10.0.0.1-4");
  ScanEngine engine(plan, prober, {.window = 64, .retries = 0}, nobody, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  EXPECT_EQ(engine.stats().done(), 2000U);
  for (const auto& [address, count] : asked) EXPECT_EQ(count, 500) << address;
}

// Half of all is lost: the check of a port that answered before shows it, and the window shrinks.
TEST(Engine, BacksOffWhenPortsThatAnsweredBeforeAreSilent) {
  FakeProber prober;
  std::mt19937 chance(1);
  prober.answer = [&](auto, auto) { return chance() % 2 == 0 ? kSilence : kClosed; };
  Keep keep;
  const ProbePlan plan = plan_of("1-4000");
  ScanEngine engine(plan, prober, {.window = 256, .retries = 0}, keep, nullptr);
  EXPECT_EQ(engine.run(), ScanEnd::complete);
  const ScanStats& stats = engine.stats();
  EXPECT_GT(stats.checks, 50U);
  EXPECT_NEAR(stats.estimated_loss().value(), 0.5, 0.25);
  EXPECT_NEAR(stats.estimated_missed().value(), 0.5, 0.25);
}

TEST(Pace, LetsARateThroughEvenly) {
  for (const std::uint64_t rate : {1U, 7U, 1000U, 50000U}) {
    Pace pace(rate);
    TimePoint when{};
    std::uint64_t sent = 0;
    // Ten simulated seconds, looked at in uneven steps.
    for (int step = 0; when < TimePoint{} + std::chrono::seconds(10); ++step) {
      while (pace.allows(when)) {
        pace.sent(when);
        ++sent;
      }
      EXPECT_GT(pace.next(when), when);
      when = std::min(pace.next(when), when + std::chrono::microseconds(300 + 700 * (step % 9)));
    }
    EXPECT_LE(sent, rate * 10 + rate / 100 + 1);
    EXPECT_GE(sent, rate * 10 - rate / 100 - 1);
  }
}

TEST(Pace, AStallIsNotMadeUpForByABurst) {
  Pace pace(1000);
  pace.sent(TimePoint{});
  const TimePoint late = TimePoint{} + std::chrono::seconds(5);
  int burst = 0;
  while (pace.allows(late)) {
    pace.sent(late);
    ++burst;
  }
  EXPECT_LE(burst, 11);
}

TEST(Pace, WithoutARateNothingIsHeldBack) {
  Pace pace(std::nullopt);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(pace.allows(TimePoint{}));
    pace.sent(TimePoint{});
  }
}

}  // namespace
}  // namespace pier
