#include "scan/syn_rate.h"

#include <gtest/gtest.h>

#include <random>

#include "scan/syn_checks.h"
#include "scan/syn_pace.h"

namespace pier {
namespace {

using namespace std::chrono_literals;

// A network for a while of its own clock: a check for every 32nd probe, lost by chance.
class World {
 public:
  explicit World(double wanted, unsigned seed = 11) : rate(wanted, start), chance(seed) {}
  // `loss` tells the share that is lost at a rate.
  template <class Loss>
  void run(Duration time, Loss loss) {
    const TimePoint end = when + time;
    while (when < end) {
      rate.tick(when, false);
      const TimePoint sent = when;
      when += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(32 / rate.rate()));
      probes += 32;
      const bool lost = std::uniform_real_distribution(0.0, 1.0)(chance) < loss(rate.rate());
      delivered += 32 * (1 - loss(rate.rate()));
      rate.check(lost, sent, when);
    }
  }
  TimePoint start = TimePoint(1000s);
  TimePoint when = start;
  SynRate rate;
  double probes = 0;
  double delivered = 0;
  std::mt19937 chance;
};

constexpr auto limit_at(double most) {
  return [most](double rate) { return rate > most ? 1 - most / rate : 0.0; };
}

TEST(SynRate, ComesToWhatIsWantedWhereNothingIsLost) {
  World world(1e6);
  EXPECT_EQ(world.rate.rate(), SynRate::kFirstRate);
  world.run(1s, limit_at(1e9));
  EXPECT_EQ(world.rate.rate(), 1e6);
  EXPECT_FALSE(world.rate.limited());
}

TEST(SynRate, NeverGoesAboveWhatIsWanted) {
  World world(500);
  EXPECT_EQ(world.rate.rate(), 500);
  world.run(10s, limit_at(1e9));
  EXPECT_EQ(world.rate.rate(), 500);
}

TEST(SynRate, FindsALimitAndStaysAtIt) {
  for (const double limit : {1000.0, 5000.0, 60'000.0})
    for (unsigned seed = 0; seed < 20; ++seed) {
      World world(std::max(100'000.0, 2 * limit), seed);
      world.run(10s, limit_at(limit));
      EXPECT_TRUE(world.rate.limited()) << limit;
      world.probes = world.delivered = 0;
      const TimePoint from = world.when;
      world.run(20s, limit_at(limit));
      EXPECT_GT(world.delivered / seconds(world.when - from), (limit < 5000 ? 0.7 : 0.8) * limit) << limit;
      EXPECT_GT(world.delivered / world.probes, limit < 5000 ? 0.6 : 0.85) << limit;
    }
}

// What is lost there has to be asked again.
TEST(SynRate, AtALimitHardlyAnythingIsLost) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(100'000, seed);
    world.run(20s, limit_at(20'000));
    world.probes = world.delivered = 0;
    const TimePoint from = world.when;
    world.run(30s, limit_at(20'000));
    EXPECT_GT(world.delivered / world.probes, 0.99);
    EXPECT_GT(world.delivered / seconds(world.when - from), 0.9 * 20'000);
  }
}

// Or it would go slower and slower, without an end.
TEST(SynRate, WeatherThatComesUpAtALimitIsNoLowerLimit) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(100'000, seed);
    world.run(20s, limit_at(20'000));
    const auto both = [](double rate) { return std::max(limit_at(20'000)(rate), 0.1); };
    world.run(60s, both);
    world.probes = 0;
    const TimePoint from = world.when;
    world.run(60s, both);
    EXPECT_GT(world.probes / seconds(world.when - from), 0.2 * 20'000);
  }
}

TEST(SynRate, WeatherIsNoReasonToGoSlower) {
  for (const double loss : {0.02, 0.1, 0.2, 0.4})
    for (unsigned seed = 0; seed < 20; ++seed) {
      World world(50'000, seed);
      const auto weather = [loss](double) { return loss; };
      world.run(5s, weather);
      world.probes = 0;
      const TimePoint from = world.when;
      world.run(10s, weather);
      EXPECT_GT(world.probes / seconds(world.when - from), 0.9 * 50'000) << loss;
    }
}

// A firewall that shuts us out is no reason to crawl.
TEST(SynRate, WhereNothingIsAnsweredAnyMoreTheRateStays) {
  World world(50'000);
  world.run(2s, limit_at(1e9));
  world.run(60s, [](double) { return 1.0; });
  EXPECT_EQ(world.rate.rate(), 50'000);
}

TEST(SynRate, AWishOfTheUserIsTried) {
  World world(100'000);
  world.run(5s, limit_at(5000));
  world.rate.want(200'000, world.when);
  world.run(1s, limit_at(1e9));
  EXPECT_EQ(world.rate.rate(), 200'000);
  world.rate.want(10, world.when);
  EXPECT_EQ(world.rate.rate(), 10);
}

TEST(SynPace, IsEvenAndDoesNotCatchUp) {
  SynPace pace;
  pace.set_rate(10'000);
  TimePoint when = now();
  pace.take(pace.allowance(when));
  std::size_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    when += 100us;
    const std::size_t may = pace.allowance(when);
    EXPECT_LE(may, 2U);
    pace.take(may);
    sent += may;
  }
  EXPECT_NEAR(static_cast<double>(sent), 10'000, 2);
  EXPECT_LE(pace.allowance(when + 5s), 10U) << "a millisecond's worth, not five seconds'";
}

TEST(SynPace, GoesSlowerThanOneAMillisecondToo) {
  SynPace pace;
  pace.set_rate(2);
  TimePoint when = now();
  pace.take(pace.allowance(when));
  EXPECT_EQ(pace.allowance(when + 499ms), 0U);
  EXPECT_EQ(pace.allowance(when + 501ms), 1U);
}

TEST(SynChecks, AnOpenPortIsAskedFourTimesASecond) {
  SynChecks checks(1s);
  TimePoint when = now();
  checks.add(1, *IpAddress::parse("192.0.2.1"), 80, true, 1ms, when);
  int asked = 0;
  for (int i = 0; i < 1000; ++i) {
    when += 1ms;
    if (!checks.next(when)) continue;
    ++asked;
    checks.answered(1, when);
    const auto outcome = checks.take_outcome(when);
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->lost);
    EXPECT_EQ(outcome->sent, when);
    checks.answered(1, when);
    EXPECT_FALSE(checks.take_outcome(when)) << "once";
  }
  EXPECT_EQ(asked, 4);
}

TEST(SynChecks, WhatDoesNotAnswerInTimeIsLost) {
  SynChecks checks(1s);
  const TimePoint when = now() + 1s;
  checks.add(1, *IpAddress::parse("192.0.2.1"), 80, false, 1ms, when - 1s);
  ASSERT_TRUE(checks.next(when));
  EXPECT_FALSE(checks.take_outcome(when + 50ms));
  const auto outcome = checks.take_outcome(when + 150ms);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->lost);
  EXPECT_FALSE(checks.take_outcome(when + 10s));
  checks.answered(1, when + 10s);
  EXPECT_FALSE(checks.take_outcome(when + 10s)) << "too late";
}

// Or the answered ones alone would count until the others' time is over.
TEST(SynChecks, EndInTheOrderOfSending) {
  SynChecks checks(1s);
  const TimePoint when = now() + 1s;
  for (std::uint64_t i = 1; i <= 2; ++i)
    checks.add(i, *IpAddress::parse("192.0.2.1"), static_cast<std::uint16_t>(i), false, 1ms, when - 1s);
  std::optional<SynChecks::Check> first;
  while (!first) first = checks.next(when);
  std::optional<SynChecks::Check> second;
  while (!second) second = checks.next(when + 1ms);
  checks.answered(second->port, when + 2ms);
  EXPECT_FALSE(checks.take_outcome(when + 3ms));
  const auto lost = checks.take_outcome(when + 200ms);
  const auto answered = checks.take_outcome(when + 200ms);
  ASSERT_TRUE(lost && answered);
  EXPECT_TRUE(lost->lost);
  EXPECT_FALSE(answered->lost);
}

}  // namespace
}  // namespace pier
