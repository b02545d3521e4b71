#include "relay/pump.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <random>
#include <thread>

#include "stream/socket_stream.h"
#include "stream/stdio.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A file without a name, as a descriptor of its own.
Fd make_file(const std::string& content, int flags = 0) {
  Fd made(::memfd_create("pump", MFD_CLOEXEC));
  EXPECT_EQ(::write(made.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  Fd opened(::open(("/proc/self/fd/" + std::to_string(made.get())).c_str(), O_RDWR | O_CLOEXEC | flags));
  EXPECT_TRUE(opened.valid());
  return opened;
}

std::string content_of(const Fd& file) {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = ::pread(file.get(), buffer, sizeof buffer, static_cast<off_t>(all.size()))) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  return all;
}

// What a pump came to: the end of its source, or an error of either side.
struct Outcome {
  int source_error = 0;
  int destination_error = 0;
  int turns = 0;  // times it had to wait
};

// A pump between two streams, moved on as a relay does: it waits for what the pump says it waits for.
struct Harness {
  Harness(Stream& source, Stream& destination, PumpOptions options = {}, std::size_t most = Pump::kNoLimit)
      : from(source),
        to(destination),
        limit(most),
        pump(source, destination, with_note(std::move(options))) {}

  PumpOptions with_note(PumpOptions options) {
    options.fell_back = [this](Way way, int code) {
      fell_back_from = way;
      fell_back_code = code;
    };
    return options;
  }

  Outcome run() {
    std::signal(SIGPIPE, SIG_IGN);  // as in the commands
    Outcome outcome;
    bool ended = false;
    while (!ended || pump.wants_output()) {
      if (!ended && pump.wants_input()) {
        const Io io = pump.fill(limit);
        ended = io.kind == Io::Kind::end || io.kind == Io::Kind::error;
        if (io.kind == Io::Kind::error) outcome.source_error = io.code;
        if (step) step();
      }
      const Io io = pump.drain();
      if (io.kind == Io::Kind::error) {
        outcome.destination_error = io.code;
        return outcome;
      }
      if (ended || pump.wants_output() || pump.source_drained()) wait(ended, outcome);
    }
    return outcome;
  }

  void wait(bool ended, Outcome& outcome) {
    ++outcome.turns;
    pollfd ends[2] = {{!ended && pump.wants_input() ? from.read_fd() : -1, POLLIN, 0},
                      {pump.wants_output() ? to.write_fd() : -1, POLLOUT, 0}};
    if (ends[0].fd < 0 && ends[1].fd < 0) return;
    ASSERT_GT(::poll(ends, 2, 60'000), 0) << "nothing moves any more";
    if (ends[1].revents != 0) pump.output_ready();
  }

  Stream& from;
  Stream& to;
  std::size_t limit;
  std::function<void()> step;
  std::optional<Way> fell_back_from;
  int fell_back_code = 0;
  Pump pump;
};

// Reads a descriptor to its end beside the pump, now and then slowly.
class Reader {
 public:
  explicit Reader(Fd fd, bool slow = false)
      : thread_([this, fd = std::move(fd), slow] {
          ::fcntl(fd.get(), F_SETFL, 0);
          std::string buffer(slow ? 3000 : 65536, '\0');
          for (int turn = 0;; ++turn) {
            if (slow && turn % 64 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
            if (n <= 0) return;
            all_.append(buffer.data(), static_cast<std::size_t>(n));
          }
        }) {}
  std::string take() {
    thread_.join();
    return std::move(all_);
  }

 private:
  std::string all_;
  std::jthread thread_;
};

// Writes everything and closes, beside the pump.
std::jthread feed(Fd fd, std::string bytes) {
  return std::jthread([fd = std::move(fd), bytes = std::move(bytes)] {
    ::fcntl(fd.get(), F_SETFL, 0);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
  });
}

// Each way, whole and in order, whatever the reader's pace.
TEST(Pump, AFileGoesToASocketBySendfile) {
  const std::string bytes = random_bytes((5 << 20) + 17);
  for (const bool slow : {false, true}) {
    const Fd file = make_file(bytes);
    FdPair pair = make_tcp_pair();
    StdioStream source(file.get(), -1);
    SocketStream net(std::move(pair.first));
    Reader reader(std::move(pair.second), slow);
    Harness harness(source, net);
    EXPECT_EQ(harness.pump.way(), Way::sendfile);
    const Outcome outcome = harness.run();
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
    Reader reader(std::move(pair.second), slow);
    Harness harness(source, net);
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
    Reader reader(std::move(output.first), slow);
    Harness harness(net, *sink);
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
  Harness harness(net, sink);
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
    Reader reader(std::move(out.second), slow);
    Harness harness(from, to);
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
  Harness harness(net, sink);
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
  Reader reader(std::move(pair.second));
  std::string seen;
  Harness harness(source, net, {.tap = [&](std::span<const std::byte> part) {
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
  Reader reader(std::move(pair.second));
  Harness harness(source, net, {}, 7);
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
  Harness harness(net, sink);
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
  Harness harness(net, sink);
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
  Harness harness(net, sink);
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
  Reader reader(std::move(pair.second));
  const int before = ::fcntl(input.first.get(), F_GETPIPE_SZ);
  {
    Harness harness(source, net);
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

// splice stops before urgent data: it says "nothing now", or "the end" when the peer's end has come too.
TEST(Pump, UrgentDataNeitherEndsItNorMakesItSpin) {
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
      Harness harness(net, sink);
      harness.step = [&] {
        if (harness.pump.read_total() == 11) tcp.second.reset();
      };
      const Outcome outcome = harness.run();
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
TEST(Pump, AFileThatGrowsIsSentToItsEndAsFound) {
  const Fd file = make_file(std::string(1 << 20, 'a'));
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  Reader reader(std::move(pair.second));
  Harness harness(source, net);
  bool grown = false;
  harness.step = [&] {
    if (std::exchange(grown, true)) return;
    EXPECT_EQ(::pwrite(file.get(), "more", 4, 1 << 20), 4);
  };
  harness.run();
  net.finish_writing();
  EXPECT_EQ(reader.take(), std::string(1 << 20, 'a') + "more");
}

TEST(Pump, AFileThatIsTruncatedEndsWhereItEnds) {
  const Fd file = make_file(std::string(8 << 20, 'a'));
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  Reader reader(std::move(pair.second));
  Harness harness(source, net);
  harness.step = [&] { EXPECT_EQ(::ftruncate(file.get(), 100), 0); };
  const Outcome outcome = harness.run();
  EXPECT_EQ(outcome.source_error, 0);
  net.finish_writing();
  const std::string got = reader.take();
  EXPECT_EQ(got.size(), harness.pump.written_total());
  EXPECT_LT(got.size(), std::size_t{8} << 20);
}

TEST(Pump, AFileIsSentFromWhereItsOffsetIs) {
  const Fd file = make_file("header\nbody\n");
  ::lseek(file.get(), 7, SEEK_SET);
  FdPair pair = make_tcp_pair();
  StdioStream source(file.get(), -1);
  SocketStream net(std::move(pair.first));
  Harness harness(source, net);
  EXPECT_EQ(harness.pump.left(), 5U);
  harness.run();
  net.finish_writing();
  EXPECT_EQ(take_all(pair.second), "body\n");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 12);
}

// An end fails.
TEST(Pump, AResetOfTheDestinationIsItsErrorAndNothingIsInHand) {
  for (const bool from_file : {true, false}) {
    const Fd file = make_file(std::string(8 << 20, 'a'));
    FdPair input = make_pipe();
    put(input.second, "waits");
    FdPair pair = make_tcp_pair();
    StdioStream source(from_file ? file.get() : input.first.get(), -1);
    SocketStream net(std::move(pair.first));
    reset(pair.second);
    Harness harness(source, net);
    const Outcome outcome = harness.run();
    EXPECT_EQ(outcome.source_error, 0);
    EXPECT_TRUE(outcome.destination_error == ECONNRESET || outcome.destination_error == EPIPE)
        << outcome.destination_error;
    EXPECT_EQ(harness.pump.left(), from_file ? (std::uint64_t{8} << 20) : 5U);
    EXPECT_FALSE(harness.fell_back_from);
  }
}

TEST(Pump, AResetOfTheSourceIsItsErrorAfterWhatItGave) {
  for (const bool to_file : {true, false}) {
    const Fd file = make_file("");
    FdPair output = make_pipe();
    FdPair pair = make_tcp_pair();
    SocketStream net(std::move(pair.first));
    StdioStream sink(-1, to_file ? file.get() : output.second.get());
    put(pair.second, "part");
    Harness harness(net, sink);
    harness.step = [&] {
      if (pair.second.valid()) reset(pair.second);
    };
    const Outcome outcome = harness.run();
    EXPECT_EQ(outcome.source_error, ECONNRESET);
    EXPECT_EQ(outcome.destination_error, 0);
    EXPECT_EQ(harness.pump.written_total(), 4U);
  }
}

TEST(Pump, AClosedPipeIsTheDestinationsError) {
  FdPair output = make_pipe();
  FdPair pair = make_tcp_pair();
  SocketStream net(std::move(pair.first));
  StdioStream sink(-1, output.second.get());
  put(pair.second, "unwanted");
  output.first.reset();
  Harness harness(net, sink);
  EXPECT_EQ(harness.run().destination_error, EPIPE);
  EXPECT_EQ(harness.pump.written_total(), 0U);
}

// A file that may not grow further, as on a disk that is full.
TEST(Pump, AFullFileTakesWhatFitsAndTheRestIsCounted) {
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
  Harness harness(*net, sink);
  const Outcome outcome = harness.run();
  ::setrlimit(RLIMIT_FSIZE, &before);
  net.reset();  // so that the writer ends
  EXPECT_EQ(outcome.destination_error, EFBIG);
  EXPECT_EQ(harness.pump.written_total(), 300'001U);
  EXPECT_EQ(content_of(file), bytes.substr(0, 300'001));
  EXPECT_EQ(harness.pump.in_hand(), harness.pump.read_total() - 300'001);
}

}  // namespace
}  // namespace pier
