#include "relay/pump.h"

#include <sys/ioctl.h>

#include "tests/relay/pump_fixture.h"

namespace pier {
namespace {

// Each way, whole and in order, whatever the reader's pace.
TEST(Pump, AFileGoesToASocketBySendfile) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  for (const bool slow : {false, true}) {
    const Fd file = make_file(bytes);
    FdPair pair = make_tcp_pair();
    StdioStream source(file.get(), -1);
    SocketStream net(std::move(pair.first));
    PumpReader reader(std::move(pair.second), slow);
    PumpHarness harness(source, net);
    EXPECT_EQ(harness.pump.way(), Way::sendfile);
    const PumpOutcome outcome = harness.run();
    EXPECT_EQ(outcome.destination_error, 0);
    EXPECT_EQ(harness.pump.written_total(), bytes.size());
    net.finish_writing();
    EXPECT_EQ(reader.take(), bytes);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), static_cast<off_t>(bytes.size()));
    EXPECT_FALSE(harness.fell_back_from);
  }
}

TEST(Pump, APipeGoesToASocketBySplice) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  for (const bool slow : {false, true}) {
    FdPair input = make_pipe();
    FdPair pair = make_tcp_pair();
    StdioStream source(input.first.get(), -1);
    SocketStream net(std::move(pair.first));
    PumpReader reader(std::move(pair.second), slow);
    PumpHarness harness(source, net);
    EXPECT_EQ(harness.pump.way(), Way::splice);
    const std::jthread writer = feed(std::move(input.second), bytes);
    EXPECT_EQ(harness.run().destination_error, 0);
    net.finish_writing();
    EXPECT_EQ(reader.take(), bytes);
    EXPECT_EQ(harness.pump.written_total(), bytes.size());
    EXPECT_FALSE(harness.fell_back_from);
  }
}

TEST(Pump, ASocketGoesToAPipeBySplice) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  for (const bool slow : {false, true}) {
    FdPair output = make_pipe();
    FdPair pair = slow ? make_socketpair() : make_tcp_pair();
    SocketStream net(std::move(pair.first));
    std::optional<StdioStream> sink(std::in_place, -1, output.second.get());
    std::jthread writer = feed(std::move(pair.second), bytes);
    PumpReader reader(std::move(output.first), slow);
    PumpHarness harness(net, *sink);
    EXPECT_EQ(harness.pump.way(), Way::splice);
    EXPECT_EQ(harness.run().destination_error, 0);
    sink.reset();
    output.second.reset();
    EXPECT_EQ(reader.take(), bytes);
    EXPECT_EQ(harness.pump.written_total(), bytes.size());
    EXPECT_FALSE(harness.fell_back_from);
  }
}

TEST(Pump, ASocketGoesToAFileThroughAPipeOfItsOwn) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  const Fd file = make_file("");
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, file.get());
  const std::jthread writer = feed(std::move(pair.second), bytes);
  PumpHarness harness(net, sink);
  EXPECT_EQ(harness.pump.way(), Way::splice_through);
  EXPECT_EQ(harness.run().destination_error, 0);
  EXPECT_EQ(content_of(file), bytes);
  EXPECT_EQ(harness.pump.written_total(), bytes.size());
  EXPECT_FALSE(harness.fell_back_from);
}

TEST(Pump, ASocketGoesToASocketThroughAPipeOfItsOwn) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  for (const bool slow : {false, true}) {
    FdPair in = make_tcp_pair();
    FdPair out = make_socketpair();
    SocketStream from(std::move(in.first));
    SocketStream to(std::move(out.first));
    const std::jthread writer = feed(std::move(in.second), bytes);
    PumpReader reader(std::move(out.second), slow);
    PumpHarness harness(from, to);
    EXPECT_EQ(harness.pump.way(), Way::splice_through);
    EXPECT_EQ(harness.run().destination_error, 0);
    to.finish_writing();
    EXPECT_EQ(reader.take(), bytes);
    EXPECT_EQ(harness.pump.written_total(), bytes.size());
  }
}

TEST(Pump, ASocketGoesToTheNullDeviceWithoutBeingRead) {
  const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, null.get());
  const std::jthread writer = feed(std::move(pair.second), random_bytes(3 << 20));
  PumpHarness harness(net, sink);
  EXPECT_EQ(harness.pump.way(), Way::splice_through);
  EXPECT_EQ(harness.run().destination_error, 0);
  EXPECT_EQ(harness.pump.written_total(), std::uint64_t{3} << 20);
  EXPECT_FALSE(harness.fell_back_from);
}

TEST(Pump, ATapSeesEveryByteOfAFile) {
  const std::string bytes = random_bytes(300'000);
  const Fd file = make_file(bytes);
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpReader reader(std::move(pair.second));
  std::string seen;
  PumpHarness harness(source, net, {.tap = [&](std::span<const std::byte> part) {
                        seen.append(reinterpret_cast<const char*>(part.data()), part.size());
                      }});
  EXPECT_EQ(harness.pump.way(), Way::copy);
  harness.run();
  net.finish_writing();
  EXPECT_EQ(reader.take(), bytes);
  EXPECT_EQ(seen, bytes);
}

TEST(Pump, NoCallTakesMoreThanItsLimit) {
  const std::string bytes = random_bytes(10'000);
  const Fd file = make_file(bytes);
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpReader reader(std::move(pair.second));
  PumpHarness harness(source, net, {}, 7);
  std::uint64_t before = 0;
  harness.step = [&] {
    EXPECT_LE(harness.pump.read_total() - before, 7U);
    before = harness.pump.read_total();
  };
  harness.run();
  net.finish_writing();
  EXPECT_EQ(reader.take(), bytes);
}

// What waits for what.
TEST(Pump, AnEmptyPipeIsWaitedForAndNotTheSocket) {
  FdPair input = make_pipe();
  FdPair pair = make_tcp_pair();
  StdioStream source(input.first.get(), -1);
  SocketStream net(std::move(pair.first));
  Pump pump(source, net);
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_EQ(pump.fill().kind, Io::Kind::again);
    EXPECT_EQ(pump.drain().kind, Io::Kind::again);
    EXPECT_TRUE(pump.wants_input());
    EXPECT_FALSE(pump.wants_output());
  }
  EXPECT_EQ(pump.way(), Way::splice);
}

TEST(Pump, AFullDestinationIsWaitedForAndNotTheSource) {
  FdPair input = make_pipe();
  FdPair output = make_pipe();
  const Fd file = make_file(std::string(16 << 20, 'f'));
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream from_file(file.get(), output.second.get());
  StdioStream from_pipe(input.first.get(), -1);
  {
    Pump up(from_file, net);
    while (up.wants_input()) up.fill();
    EXPECT_TRUE(up.wants_output());
    EXPECT_EQ(up.fill().kind, Io::Kind::again);
    EXPECT_EQ(up.drain().kind, Io::Kind::again);  // nobody has said that it is ready
    EXPECT_TRUE(up.wants_output());
    EXPECT_EQ(up.in_hand(), 0U);
    EXPECT_EQ(up.left(), (std::uint64_t{16} << 20) - up.written_total());
  }
  put(input.second, "waits");
  Pump next(from_pipe, net);
  next.fill();
  EXPECT_TRUE(next.wants_output());
  EXPECT_FALSE(next.wants_input());
  EXPECT_EQ(next.left(), 5U);

  Pump down(net, from_file);
  const std::string block(32'768, 'd');
  for (int turn = 0; turn < 1000 && !down.wants_output(); ++turn) {
    [[maybe_unused]] const ssize_t given = ::write(pair.second.get(), block.data(), block.size());
    down.fill();
  }
  EXPECT_TRUE(down.wants_output());
  EXPECT_FALSE(down.wants_input());
  EXPECT_GT(down.written_total(), 0U);
}

// The kernel refuses.
TEST(Pump, AFileOpenedForAppendingFallsBackToCopying) {
  const std::string bytes = random_bytes((2 << 20) + 5);
  const Fd file = make_file("there before\n", O_APPEND);
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, file.get());
  const std::jthread writer = feed(std::move(pair.second), bytes);
  PumpHarness harness(net, sink);
  EXPECT_EQ(harness.run().destination_error, 0);
  EXPECT_EQ(harness.fell_back_from, Way::splice_through);
  EXPECT_EQ(harness.fell_back_code, EINVAL);
  EXPECT_EQ(harness.pump.way(), Way::copy);
  EXPECT_EQ(content_of(file), "there before\n" + bytes);
  EXPECT_EQ(harness.pump.read_total(), bytes.size());
  EXPECT_EQ(harness.pump.written_total(), bytes.size());
}

TEST(Pump, AFileThatTurnsToAppendingLosesNothingMidStream) {
  const std::string bytes = random_bytes((2 << 20) + 5);
  const Fd file = make_file("");
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, file.get());
  const std::jthread writer = feed(std::move(pair.second), bytes);
  PumpHarness harness(net, sink);
  harness.step = [&] {
    // Between a fill and its drain: what is in the pump's own pipe has to come back.
    if (harness.pump.written_total() > (1 << 20)) ::fcntl(file.get(), F_SETFL, O_APPEND);
  };
  EXPECT_EQ(harness.run().destination_error, 0);
  EXPECT_EQ(harness.fell_back_code, EINVAL);
  EXPECT_EQ(content_of(file), bytes);
}

// More in hand than the queue can take at once.
TEST(Pump, ALargePipeIsTakenBackPieceByPiece) {
  const std::string bytes = random_bytes(3 << 20);
  const Fd file = make_file("", O_APPEND);
  FdPair pair = make_tcp_pair();
  const int large = 4 << 20;
  if (::setsockopt(pair.first.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large) != 0)
    ::setsockopt(pair.first.get(), SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, file.get());
  const std::jthread writer = feed(std::move(pair.second), bytes);
  const auto waiting = [&] {
    int count = 0;
    EXPECT_EQ(::ioctl(net.read_fd(), FIONREAD, &count), 0);
    return static_cast<std::size_t>(count);
  };
  // As much as it gets: no progress between two looks.
  for (std::size_t before = 1, now = 0; now == 0 || now != before;) {
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    now = waiting();
  }
  PumpHarness harness(net, sink);
  std::size_t most = 0;
  harness.step = [&] { most = std::max(most, harness.pump.in_hand()); };
  EXPECT_EQ(harness.run().destination_error, 0);
  EXPECT_EQ(harness.fell_back_code, EINVAL);
  EXPECT_EQ(content_of(file), bytes);
  if (most <= Pump::kCapacity)
    GTEST_SKIP() << "this host's receive buffers and pipes are too small: " << most;
}

TEST(Pump, APipeOfOthersIsEnlargedOnlyOnceMuchHasGoneThrough) {
  FdPair input = make_pipe();
  FdPair pair = make_tcp_pair();
  StdioStream source(input.first.get(), -1);
  SocketStream net(std::move(pair.first));
  PumpReader reader(std::move(pair.second));
  const int before = ::fcntl(input.first.get(), F_GETPIPE_SZ);
  {
    PumpHarness harness(source, net);
    const std::jthread writer = feed(std::move(input.second), std::string(2 << 20, 'p'));
    harness.step = [&] {
      const int size = ::fcntl(input.first.get(), F_GETPIPE_SZ);
      if (harness.pump.written_total() < Transfer::kChunk)
        EXPECT_EQ(size, before);
      else
        EXPECT_TRUE(size >= Transfer::kPipeOfOthers || size == before) << size;  // where it is allowed
    };
    harness.run();
  }
  net.finish_writing();
  EXPECT_EQ(reader.take().size(), std::size_t{2} << 20);
}

}  // namespace
}  // namespace pier
