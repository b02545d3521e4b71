#include "event/resolve.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <thread>

namespace pier {
namespace {

using Answer = Result<std::vector<IpAddress>>;

// Runs the loop until the answer is there.
Answer answer_of(const std::string& host, std::optional<Family> family = {}) {
  Loop loop;
  std::optional<Answer> answer;
  const Resolution resolution = resolve(loop, host, family, [&](Answer given) {
    answer = std::move(given);
    loop.stop();
  });
  EXPECT_FALSE(answer) << "called back before resolve() had returned";
  loop.run();
  return *answer;
}

TEST(Resolve, LiteralsAreTheirOwnAnswer) {
  EXPECT_EQ(answer_of("127.0.0.1").value(), std::vector{IpAddress::loopback(Family::ipv4)});
  EXPECT_EQ(answer_of("::1").value(), std::vector{IpAddress::loopback(Family::ipv6)});
}

TEST(Resolve, ALiteralOfTheOtherFamilyIsAUsageError) {
  const Answer answer = answer_of("127.0.0.1", Family::ipv6);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::usage);
  EXPECT_EQ(answer.error().message(), "host '127.0.0.1': an IPv4 address, where one of IPv6 is needed");
}

TEST(Resolve, TextThatOnlyLooksLikeAnAddressIsNeverLookedUp) {
  for (const char* text : {"1.2.3", "75.748.86.91", "0x7f.1"}) {
    const Answer answer = answer_of(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().kind, ErrorKind::usage);
  }
}

TEST(Resolve, LocalhostIsLoopback) {
  const Answer answer = answer_of("localhost");
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_FALSE(answer->empty());
  for (const IpAddress& address : *answer) EXPECT_TRUE(address.is_loopback()) << address.to_string();
  const Answer four = answer_of("localhost", Family::ipv4);
  ASSERT_TRUE(four) << four.error().message();
  EXPECT_EQ(*four, std::vector{IpAddress::loopback(Family::ipv4)}) << "one family, without repeats";
}

TEST(Resolve, WaitingGivesTheSameAnswer) {
  EXPECT_EQ(resolve_now("localhost", Family::ipv4).value(), answer_of("localhost", Family::ipv4).value());
  EXPECT_FALSE(resolve_now("1.2.3", std::nullopt));
}

TEST(Resolve, ANameThatDoesNotResolveIsAnAnswerOfNo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace without a name server";
  std::optional<Answer> answer;
  bool alone = false;
  std::thread([&] {
    alone = ::unshare(CLONE_NEWNET) == 0;  // of this thread and those it starts
    if (alone) answer = answer_of("nosuch.invalid");
  }).join();
  if (!alone) GTEST_SKIP() << "no right to make a network namespace here";
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().kind, ErrorKind::failed);
  EXPECT_TRUE(answer->error().message().starts_with("resolve nosuch.invalid: ")) << answer->error().message();
  const char first_of_why = answer->error().why.at(0);
  EXPECT_TRUE(first_of_why >= 'a' && first_of_why <= 'z') << answer->error().why;
}

TEST(Resolve, DestroyingItCancels) {
  Loop loop;
  for (const char* host : {"127.0.0.1", "localhost", "1.2.3"}) {
    auto resolution = std::make_unique<Resolution>(
        resolve(loop, host, std::nullopt, [host](Answer) { ADD_FAILURE() << host << " called back"; }));
    resolution.reset();
  }
  // One that is kept is answered after those were, had they not been cancelled.
  const Resolution kept = resolve(loop, "localhost", std::nullopt, [&](Answer) { loop.stop(); });
  loop.run();
}

TEST(Resolve, TheCallbackMayDestroyItsOwn) {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Loop loop;
    std::optional<Resolution> resolution;
    const std::string marker = "still here";
    resolution = resolve(loop, host, std::nullopt, [&, marker](Answer) {
      resolution.reset();
      EXPECT_EQ(marker, "still here");
      loop.stop();
    });
    loop.run();
    EXPECT_FALSE(resolution);
  }
}

TEST(Resolve, ManyAtOnceAllAnswer) {
  Loop loop;
  int left = 16;
  std::vector<Resolution> all;
  for (int i = 0; i < 16; ++i)
    all.push_back(resolve(loop, "localhost", Family::ipv4, [&](Answer answer) {
      EXPECT_TRUE(answer);
      if (--left == 0) loop.stop();
    }));
  loop.run();
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace pier
