#include "packet/neighbours.h"

#include <gtest/gtest.h>

#include <set>

namespace pier {
namespace {

using std::chrono::milliseconds;

constexpr MacAddress kMac{2, 0, 0, 0, 0, 7};
constexpr MacAddress kOther{2, 0, 0, 0, 0, 8};

NeighbourKey key_of(std::uint32_t number, unsigned interface = 2) {
  return {interface, IpAddress::v4(0x0a000000 + number)};
}

class NeighbourTable : public testing::Test {
 protected:
  Neighbours neighbours;
  TimePoint time = TimePoint{} + std::chrono::hours(1);
  std::uint64_t tags = 0;

  std::uint64_t hold(std::uint32_t number) {
    neighbours.hold(key_of(number), {.tag = ++tags, .port = 80, .lane = 1}, time);
    return tags;
  }
  // Sends all requests that are wanted: how many.
  unsigned ask_first() {
    unsigned count = 0;
    for (; const NeighbourKey* key = neighbours.first(); ++count) neighbours.asked(NeighbourKey(*key), time);
    return count;
  }
  unsigned ask_again() {
    unsigned count = 0;
    for (; const NeighbourKey* key = neighbours.again(time); ++count)
      neighbours.asked(NeighbourKey(*key), time);
    return count;
  }
  bool told(std::uint32_t number, const MacAddress& mac = kMac) {
    if (!neighbours.awaits_reply(key_of(number), time)) return false;
    neighbours.told(key_of(number), mac);
    return true;
  }
  std::vector<std::uint64_t> ready() {
    std::vector<std::uint64_t> found;
    while (const auto taken = neighbours.take_ready()) found.push_back(taken->second.tag);
    return found;
  }
};

TEST_F(NeighbourTable, OneRequestForAllProbesThatWait) {
  EXPECT_FALSE(neighbours.find(key_of(1), time));
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 1000; ++i) expected.push_back(hold(1));
  EXPECT_TRUE(neighbours.is_awaited(key_of(1)));
  EXPECT_EQ(ask_first(), 1U);
  EXPECT_TRUE(ready().empty());
  EXPECT_TRUE(told(1));
  EXPECT_TRUE(neighbours.is_any_ready());
  EXPECT_EQ(ready(), expected) << "in their order";
  EXPECT_FALSE(neighbours.is_any_ready());
  EXPECT_EQ(neighbours.find(key_of(1), time), kMac);
  EXPECT_FALSE(neighbours.find(key_of(1, 3), time)) << "of another link";
  EXPECT_EQ(neighbours.room(), Neighbours::kMostHeld);
}

TEST_F(NeighbourTable, ARequestThatFindsNoRoomIsNotForgotten) {
  hold(1);
  EXPECT_EQ(*neighbours.first(), key_of(1));
  EXPECT_EQ(*neighbours.first(), key_of(1));
  EXPECT_EQ(ask_first(), 1U);
  EXPECT_EQ(neighbours.first(), nullptr);
}

TEST_F(NeighbourTable, SilenceIsAskedThreeTimesAndThenDropped) {
  std::vector<std::uint64_t> dropped;
  hold(1);
  unsigned asked = ask_first();
  for (int i = 0; i < 999; ++i) {
    time += milliseconds(1);
    if (i % 100 == 0) hold(1);  // which is no reason for more
    neighbours.expire(time, dropped);
    const unsigned more = ask_first() + ask_again();
    if (more > 0) {
      EXPECT_EQ((i + 1) % 300, 0) << i;
    }
    asked += more;
  }
  EXPECT_EQ(asked, Neighbours::kMostRequests);
  EXPECT_EQ(neighbours.room(), Neighbours::kMostHeld - 11);
  time += milliseconds(1);
  EXPECT_EQ(dropped.size(), 0U);
  neighbours.expire(time, dropped);
  EXPECT_EQ(dropped.size(), 11U);
  EXPECT_EQ(neighbours.room(), Neighbours::kMostHeld);
  EXPECT_FALSE(told(1)) << "too late";
  EXPECT_FALSE(neighbours.is_any_ready());
  hold(1);
  EXPECT_EQ(ask_first(), 1U) << "for the next probe, again";
}

TEST_F(NeighbourTable, OfManyOnlyThoseOfSeveralProbesAreAskedAgain) {
  for (std::uint32_t i = 0; i < Neighbours::kFew + 100; ++i) hold(i);
  hold(5);
  EXPECT_EQ(ask_first(), Neighbours::kFew + 100);
  time += Neighbours::kBetweenRequests;
  EXPECT_EQ(ask_again(), 1U);
}

TEST_F(NeighbourTable, OfFewAllAreAskedAgain) {
  for (std::uint32_t i = 0; i < Neighbours::kFew; ++i) hold(i);
  EXPECT_EQ(ask_first(), Neighbours::kFew);
  EXPECT_EQ(ask_again(), 0U);
  time += Neighbours::kBetweenRequests;
  EXPECT_EQ(ask_again(), Neighbours::kFew);
}

TEST_F(NeighbourTable, WhatWasNotAskedForChangesNothing) {
  EXPECT_FALSE(told(1));
  hold(1);
  EXPECT_FALSE(told(1)) << "not sent yet";
  EXPECT_EQ(ask_first(), 1U);
  EXPECT_FALSE(told(2));
  EXPECT_TRUE(told(1));
  EXPECT_FALSE(told(1, kOther)) << "the second reply to one request";
  time += milliseconds(500);
  EXPECT_EQ(neighbours.find(key_of(1), time), kMac);
  EXPECT_FALSE(told(1, kOther));
}

TEST_F(NeighbourTable, AnotherMacAddressIsLearnedBesideUsingTheOldOne) {
  hold(1);
  ask_first();
  told(1);
  time += Neighbours::kFresh;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(neighbours.find(key_of(1), time), kMac);
  EXPECT_EQ(ask_first(), 0U);
  EXPECT_EQ(ask_again(), 1U);
  EXPECT_EQ(neighbours.find(key_of(1), time), kMac);
  EXPECT_EQ(ask_again(), 0U) << "not again for a while";
  EXPECT_TRUE(told(1, kOther));
  EXPECT_EQ(neighbours.find(key_of(1), time), kOther);
}

TEST_F(NeighbourTable, OneOfTheKernelsIsAskedForUnlessItIsFixed) {
  neighbours.learn(key_of(1), kMac, false);
  neighbours.learn(key_of(2), kOther, true);
  EXPECT_EQ(neighbours.find(key_of(1), time), kMac);
  EXPECT_EQ(neighbours.find(key_of(2), time), kOther);
  EXPECT_EQ(ask_again(), 1U);
  EXPECT_FALSE(told(2));
  EXPECT_TRUE(told(1, kOther));
  neighbours.forget_fixed(key_of(1), time);
  neighbours.forget_fixed(key_of(2), time);
  EXPECT_TRUE(neighbours.find(key_of(1), time));
  EXPECT_FALSE(neighbours.find(key_of(2), time));
}

TEST_F(NeighbourTable, LearnedElsewhereMeanwhileProbesGo) {
  const auto tag = hold(1);
  neighbours.learn(key_of(1), kMac, true);
  EXPECT_EQ(ask_first(), 0U);
  EXPECT_EQ(ready(), std::vector{tag});
}

TEST_F(NeighbourTable, AfterAChangeOfTheLinkProbesWaitAnew) {
  const auto tag = hold(1);
  hold(2);
  ask_first();
  told(1);
  told(2);
  while (neighbours.take_ready()->second.tag != tag) {
  }
  // The probe to 2 is still there.
  neighbours.forget_all(time);
  EXPECT_FALSE(neighbours.find(key_of(1), time));
  EXPECT_FALSE(neighbours.find(key_of(2), time));
  EXPECT_TRUE(ready().empty());
  EXPECT_EQ(ask_first(), 1U);
  EXPECT_TRUE(told(2));
  EXPECT_EQ(ready().size(), 1U);
}

TEST_F(NeighbourTable, GivenUpTheTagsComeBack) {
  const std::vector tags_of{hold(1), hold(1)};
  hold(2);
  EXPECT_EQ(neighbours.give_up(key_of(1)), tags_of);
  EXPECT_TRUE(neighbours.give_up(key_of(1)).empty());
  EXPECT_EQ(ask_first(), 1U);
  EXPECT_EQ(neighbours.room(), Neighbours::kMostHeld - 1);
}

TEST_F(NeighbourTable, NoMoreThanItsRoom) {
  for (std::uint32_t i = 0; neighbours.room() > 0; ++i) hold(i);
  EXPECT_EQ(tags, Neighbours::kMostHeld);
  EXPECT_EQ(ask_first(), Neighbours::kMostHeld);
  for (std::uint32_t i = 0; i < Neighbours::kMostHeld; ++i) ASSERT_TRUE(told(i));
  EXPECT_EQ(ready().size(), Neighbours::kMostHeld);
  EXPECT_EQ(neighbours.room(), Neighbours::kMostHeld);
}

TEST_F(NeighbourTable, WhoWasNotAskedAboutForLongestIsForgotten) {
  for (std::uint32_t i = 0; i < Neighbours::kMostKnown; ++i) neighbours.learn(key_of(i), kMac, true);
  EXPECT_TRUE(neighbours.find(key_of(0), time));
  neighbours.learn(key_of(1U << 20), kMac, true);
  EXPECT_TRUE(neighbours.find(key_of(0), time));
  EXPECT_FALSE(neighbours.find(key_of(1), time));
  EXPECT_TRUE(neighbours.find(key_of(2), time));
}

}  // namespace
}  // namespace pier
