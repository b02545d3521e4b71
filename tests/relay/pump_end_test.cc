// How a pump ends: urgent data, a source that changes under it, an end that fails.
#include <sys/resource.h>

#include "relay/pump.h"
#include "tests/relay/pump_fixture.h"

namespace pier {
namespace {

// splice stops before urgent data: it says "nothing now", or "the end" when the peer's end has come too.
TEST(PumpEnd, UrgentDataNeitherEndsItNorMakesItSpin) {
  for (const bool ended : {true, false}) {
    FdPair output = make_pipe();
    const Fd file = make_file("");
    for (const bool to_pipe : {true, false}) {
      FdPair tcp = make_tcp_pair();
      SocketStream net(std::move(tcp.first));
      StdioStream sink(-1, to_pipe ? output.second.get() : file.get());
      put(tcp.second, "before");
      ASSERT_EQ(::send(tcp.second.get(), "!", 1, MSG_OOB), 1);
      put(tcp.second, "after");
      if (ended) tcp.second.reset();
      PumpHarness harness(net, sink);
      harness.step = [&] {
        if (harness.pump.read_total() == 11) tcp.second.reset();
      };
      const PumpOutcome outcome = harness.run();
      EXPECT_EQ(outcome.source_error, 0);
      EXPECT_LT(outcome.turns, 50);
      EXPECT_EQ(harness.fell_back_code, EAGAIN);
      EXPECT_EQ(harness.pump.written_total(), 11U);
    }
    output.second.reset();
    EXPECT_EQ(take_all(output.first), "beforeafter");
    EXPECT_EQ(content_of(file), "beforeafter");
  }
}

// The source changes.
TEST(PumpEnd, AFileThatGrowsIsSentToItsEndAsFound) {
  const Fd file = make_file(std::string(1 << 20, 'a'));
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpReader reader(std::move(pair.second));
  PumpHarness harness(source, net);
  bool grown = false;
  harness.step = [&] {
    if (std::exchange(grown, true)) return;
    EXPECT_EQ(::pwrite(file.get(), "more", 4, 1 << 20), 4);
  };
  harness.run();
  net.finish_writing();
  EXPECT_EQ(reader.take(), std::string(1 << 20, 'a') + "more");
}

TEST(PumpEnd, AFileThatIsTruncatedEndsWhereItEnds) {
  const Fd file = make_file(std::string(8 << 20, 'a'));
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpReader reader(std::move(pair.second));
  PumpHarness harness(source, net);
  harness.step = [&] { EXPECT_EQ(::ftruncate(file.get(), 100), 0); };
  const PumpOutcome outcome = harness.run();
  EXPECT_EQ(outcome.source_error, 0);
  net.finish_writing();
  const std::string got = reader.take();
  EXPECT_EQ(got.size(), harness.pump.written_total());
  EXPECT_LT(got.size(), std::size_t{8} << 20);
}

TEST(PumpEnd, AFileIsSentFromWhereItsOffsetIs) {
  const Fd file = make_file("header\nbody\n");
  ::lseek(file.get(), 7, SEEK_SET);
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpHarness harness(source, net);
  EXPECT_EQ(harness.pump.left(), 5U);
  harness.run();
  net.finish_writing();
  EXPECT_EQ(take_all(pair.second), "body\n");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 12);
}

// An end fails.
TEST(PumpEnd, AResetOfTheDestinationIsItsErrorAndNothingIsInHand) {
  for (const bool from_file : {true, false}) {
    const Fd file = make_file(std::string(8 << 20, 'a'));
    FdPair input = make_pipe();
    put(input.second, "waits");
    FdPair pair = make_tcp_pair();
    StdioStream source(from_file ? file.get() : input.first.get(), -1);
    SocketStream net(std::move(pair.first));
    reset(pair.second);
    PumpHarness harness(source, net);
    const PumpOutcome outcome = harness.run();
    EXPECT_EQ(outcome.source_error, 0);
    EXPECT_TRUE(outcome.destination_error == ECONNRESET || outcome.destination_error == EPIPE)
        << outcome.destination_error;
    EXPECT_EQ(harness.pump.left(), from_file ? (std::uint64_t{8} << 20) : 5U);
    EXPECT_FALSE(harness.fell_back_from);
  }
}

TEST(PumpEnd, AResetOfTheSourceIsItsErrorAfterWhatItGave) {
  for (const bool to_file : {true, false}) {
    const Fd file = make_file("");
    FdPair output = make_pipe();
    FdPair pair = make_tcp_pair();
    SocketStream net(std::move(pair.first));
    StdioStream sink(-1, to_file ? file.get() : output.second.get());
    put(pair.second, "part");
    PumpHarness harness(net, sink);
    harness.step = [&] {
      if (pair.second.valid()) reset(pair.second);
    };
    const PumpOutcome outcome = harness.run();
    EXPECT_EQ(outcome.source_error, ECONNRESET);
    EXPECT_EQ(outcome.destination_error, 0);
    EXPECT_EQ(harness.pump.written_total(), 4U);
  }
}

TEST(PumpEnd, AClosedPipeIsTheDestinationsError) {
  FdPair output = make_pipe();
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, output.second.get());
  put(pair.second, "unwanted");
  output.first.reset();
  PumpHarness harness(net, sink);
  EXPECT_EQ(harness.run().destination_error, EPIPE);
  EXPECT_EQ(harness.pump.written_total(), 0U);
}

// A file that may not grow further, as on a disk that is full.
TEST(PumpEnd, AFullFileTakesWhatFitsAndTheRestIsCounted) {
  const std::string bytes = random_bytes(1 << 20);
  const Fd file = make_file("");
  FdPair pair = make_tcp_pair();
  std::optional<SocketStream> net(std::move(pair.first));
  StdioStream sink(-1, file.get());
  const std::jthread writer = feed(std::move(pair.second), bytes);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{300'001, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  PumpHarness harness(*net, sink);
  const PumpOutcome outcome = harness.run();
  ::setrlimit(RLIMIT_FSIZE, &before);
  net.reset();  // so that the writer ends
  EXPECT_EQ(outcome.destination_error, EFBIG);
  EXPECT_EQ(harness.pump.written_total(), 300'001U);
  EXPECT_EQ(content_of(file), bytes.substr(0, 300'001));
  EXPECT_EQ(harness.pump.in_hand(), harness.pump.read_total() - 300'001);
}

}  // namespace
}  // namespace pier
