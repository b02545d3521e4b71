#include "relay/relay.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>

#include "stream/socket_stream.h"
#include "stream/stdio.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

// A relay between one end of a connection and two pipes: input_writer feeds I, output_reader sees O, peer is
// the other end of N.
class RelayTest : public testing::Test {
 protected:
  RelayTest() { std::signal(SIGPIPE, SIG_IGN); }  // as in the commands

  void connect(FdPair pair) {
    net_ = std::make_unique<SocketStream>(std::move(pair.first));
    peer_ = std::move(pair.second);
  }

  RelayResult run(const RelayRules& rules = {}) {
    StdioStream local(input_.first.get(), output_.second.get());
    std::optional<RelayResult> result;
    Relay relay(loop_, *net_, local, rules, [&](const RelayResult& r) {
      result = r;
      loop_.stop();
    });
    if (during_) loop_.post(during_);
    run_guarded(loop_);
    net_.reset();
    output_.second.reset();
    return result.value_or(RelayResult{});
  }

  Loop loop_;
  FdPair input_ = make_pipe();   // first: I; second: its writer
  FdPair output_ = make_pipe();  // first: O's reader; second: O
  std::unique_ptr<SocketStream> net_;
  Fd peer_;
  std::function<void()> during_;
};

TEST_F(RelayTest, Row1And2InputEndsFirstThenThePeerAnswersAndEnds) {
  connect(make_tcp_pair());
  put(input_.second, "question");
  input_.second.reset();
  std::string heard;
  Watch watch = loop_
                    .watch(peer_.get(), Interest::read,
                           [&](Ready) {
                             char buffer[64];
                             const ssize_t n = ::read(peer_.get(), buffer, sizeof buffer);
                             if (n > 0) heard.append(buffer, static_cast<std::size_t>(n));
                             if (n != 0) return;
                             put(peer_, "answer");
                             watch.cancel();
                             peer_.reset();
                           })
                    .value();
  const RelayResult result = run();
  EXPECT_FALSE(result.error) << result.error->message();
  EXPECT_EQ(heard, "question");
  EXPECT_EQ(take_all(output_.first), "answer");
  EXPECT_EQ(result.sent, 8u);
  EXPECT_EQ(result.received, 6u);
  EXPECT_FALSE(result.peer_closed_first);
}

TEST_F(RelayTest, ItEndsSoLongAfterTheInputWhateverThePeerDoes) {
  connect(make_tcp_pair());
  put(input_.second, "question");
  input_.second.reset();
  put(peer_, "early");
  const TimePoint begun = now();
  RelayRules rules;
  rules.quit_after_input = std::chrono::milliseconds(50);
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error) << result.error->message();
  EXPECT_GE(now() - begun, std::chrono::milliseconds(50));
  EXPECT_EQ(take_all(output_.first), "early");
  EXPECT_EQ(take_all(peer_), "question");
}

TEST_F(RelayTest, ASilenceMayBeAGoodEnd) {
  connect(make_tcp_pair());
  put(peer_, "early");
  RelayRules rules;
  rules.idle_timeout = std::chrono::milliseconds(50);
  rules.idle_is_end = true;
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error) << result.error->message();
  EXPECT_EQ(take_all(output_.first), "early");
  char byte = 0;
  EXPECT_EQ(::read(peer_.get(), &byte, 1), 0) << "an end in order, and no reset";
}

TEST_F(RelayTest, WhereTheReaderMayGoTheInputGoesOn) {
  connect(make_tcp_pair());
  output_.first.reset();
  put(peer_, "unread");
  put(input_.second, "question");
  input_.second.reset();
  RelayRules rules;
  rules.output_may_go = true;
  rules.keep_input = true;
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error) << result.error->message();
  EXPECT_FALSE(result.output_closed);
  EXPECT_EQ(take_all(peer_), "question");
}

TEST_F(RelayTest, ItEndsWithTheLastOfTheReadsThatWereAskedFor) {
  connect(make_tcp_pair());
  put(peer_, std::string(Relay::kCountedRead, 'a') + "b");
  RelayRules rules;
  rules.most_reads = 1;
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error) << result.error->message();
  EXPECT_EQ(take_all(output_.first), std::string(Relay::kCountedRead, 'a'));
}

TEST_F(RelayTest, Row3PeerEndsFirstAndWhatTheInputHasIsStillSent) {
  connect(make_tcp_pair());
  put(input_.second, std::string(60'000, 'x'));
  put(peer_, "bye");
  ::shutdown(peer_.get(), SHUT_WR);
  const RelayResult result = run();
  EXPECT_FALSE(result.error);
  EXPECT_TRUE(result.peer_closed_first);
  EXPECT_EQ(take_all(peer_).size(), 60'000u);
  EXPECT_EQ(take_all(output_.first), "bye");
}

TEST_F(RelayTest, Row4PeerEndsFirstAndAnIdleInputIsLeft) {
  connect(make_socketpair());
  put(peer_, "bye");
  ::shutdown(peer_.get(), SHUT_WR);
  const RelayResult result = run();  // the input's writer is open and silent
  EXPECT_FALSE(result.error);
  EXPECT_EQ(take_all(output_.first), "bye");
}

TEST_F(RelayTest, Row3AProducerThatPausesIsNotCutShort) {
  connect(make_socketpair());
  ::shutdown(peer_.get(), SHUT_WR);
  Timer later;  // the pause: longer than a turn of the loop, shorter than what counts as idle
  during_ = [&] {
    later = loop_.timer(Deadline::after(std::chrono::milliseconds(20)), [this] {
      put(input_.second, "after a pause");
      input_.second.reset();
    });
  };
  RelayRules rules;
  rules.idle_input = std::chrono::seconds(30);
  EXPECT_FALSE(run(rules).error);
  EXPECT_EQ(take_all(peer_), "after a pause");
}

TEST_F(RelayTest, KeepInputWaitsForTheInputsEnd) {
  connect(make_socketpair());
  ::shutdown(peer_.get(), SHUT_WR);
  RelayRules rules;
  rules.keep_input = true;
  during_ = [this] {
    loop_.post([this] {
      put(input_.second, "late");
      input_.second.reset();
    });
  };
  EXPECT_FALSE(run(rules).error);
  EXPECT_EQ(take_all(peer_), "late");
}

TEST_F(RelayTest, Row5ResetIsAnErrorAfterWhatArrivedIsWritten) {
  connect(make_tcp_pair());
  put(peer_, "partial");
  reset(peer_);
  const RelayResult result = run();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::failed);
  EXPECT_EQ(result.error->code, ECONNRESET);
  EXPECT_EQ(take_all(output_.first), "partial");
}

TEST_F(RelayTest, Row6BytesThatCouldNotBeSentAreCounted) {
  connect(make_socketpair());
  peer_.reset();
  put(input_.second, "lost");
  const RelayResult result = run();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::failed);
  EXPECT_NE(result.error->message().find("4 B"), std::string::npos) << result.error->message();
}

TEST_F(RelayTest, Row7AClosedOutputIsNoticedAtOnceAndThePeerIsReset) {
  connect(make_tcp_pair());
  during_ = [this] { output_.first.reset(); };  // nothing is on its way
  const RelayResult result = run();
  EXPECT_TRUE(result.output_closed);
  ::fcntl(peer_.get(), F_SETFL, 0);
  char byte = 0;
  EXPECT_EQ(::read(peer_.get(), &byte, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(RelayTest, Row8AFullOutputSaysHowMuchWasWritten) {
  connect(make_tcp_pair());
  output_.second = Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  put(peer_, "data");
  const RelayResult result = run();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::failed);
  EXPECT_EQ(result.error->code, ENOSPC);
  EXPECT_NE(result.error->message().find("0 B were written"), std::string::npos);
}

TEST_F(RelayTest, Row9AnUnreadableInputResetsThePeer) {
  connect(make_tcp_pair());
  input_.first = Fd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const RelayResult result = run();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::local);
  EXPECT_EQ(result.error->code, EISDIR);
  ::fcntl(peer_.get(), F_SETFL, 0);
  char byte = 0;
  EXPECT_EQ(::read(peer_.get(), &byte, 1), -1);
}

TEST_F(RelayTest, Row10NullInputIsAnEmptyFile) {
  connect(make_tcp_pair());
  input_.first = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Watch watch = loop_
                    .watch(peer_.get(), Interest::read,
                           [&](Ready) {
                             char byte = 0;
                             EXPECT_EQ(::read(peer_.get(), &byte, 1), 0);
                             put(peer_, "still here");
                             watch.cancel();
                             peer_.reset();
                           })
                    .value();
  EXPECT_FALSE(run().error);
  EXPECT_EQ(take_all(output_.first), "still here");
}

TEST_F(RelayTest, Row13SendOnlyEndsWhenAllIsAcknowledged) {
  connect(make_tcp_pair());
  put(input_.second, "payload");
  input_.second.reset();
  put(peer_, "unwanted");
  RelayRules rules;
  rules.receive = false;
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(take_all(peer_), "payload");
  EXPECT_EQ(take_all(output_.first), "");
}

TEST_F(RelayTest, Row13SendOnlyNoticesAResetWhileItsInputIsIdle) {
  connect(make_tcp_pair());
  RelayRules rules;
  rules.receive = false;
  during_ = [this] { reset(peer_); };
  const RelayResult result = run(rules);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::failed);
}

TEST_F(RelayTest, Row14ReceiveOnlyNeverReadsItsInput) {
  connect(make_tcp_pair());
  put(input_.second, "stays");
  put(peer_, "arrives");
  ::shutdown(peer_.get(), SHUT_WR);
  RelayRules rules;
  rules.send = false;
  EXPECT_FALSE(run(rules).error);
  EXPECT_EQ(take_all(output_.first), "arrives");
  input_.second.reset();
  EXPECT_EQ(take_all(input_.first), "stays");
}

TEST_F(RelayTest, Row15IdlenessIsADeadline) {
  connect(make_socketpair());
  RelayRules rules;
  rules.idle_timeout = std::chrono::milliseconds(20);
  const RelayResult result = run(rules);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::deadline);
}

TEST_F(RelayTest, Row17ASlowOutputHoldsUpThePeerAndLosesNothing) {
  connect(make_socketpair());
  // Nobody reads O at first: the peer fills the relay's queue, both pipes and both socket buffers, and then
  // is not taken from.
  const std::string block(8192, 'b');
  std::size_t given = 0;
  bool stuck = false;
  Watch writer = loop_
                     .watch(peer_.get(), Interest::write,
                            [&](Ready) {
                              const ssize_t n = ::write(peer_.get(), block.data(), block.size());
                              if (n > 0) given += static_cast<std::size_t>(n);
                            })
                     .value();
  std::string seen;
  Watch reader;
  const std::function<void()> drain = [&] {
    stuck = true;
    writer.cancel();
    peer_.reset();
    reader = loop_
                 .watch(output_.first.get(), Interest::read,
                        [&](Ready) {
                          char buffer[4096];
                          const ssize_t n = ::read(output_.first.get(), buffer, sizeof buffer);
                          if (n > 0) seen.append(buffer, static_cast<std::size_t>(n));
                        })
                 .value();
  };
  // No progress between two looks means that everything between is full.
  std::size_t before = 1;
  Timer look;
  const std::function<void()> check = [&] {
    if (given == before) return drain();
    before = given;
    look = loop_.timer(Deadline::after(std::chrono::milliseconds(50)), check);
  };
  during_ = check;
  const RelayResult result = run();
  reader.cancel();
  EXPECT_TRUE(stuck);
  EXPECT_FALSE(result.error);
  EXPECT_LT(given, std::size_t{4} << 20);  // bounded: buffers, not memory
  EXPECT_EQ(result.received, given);
  EXPECT_EQ(seen.size() + take_all(output_.first).size(), given);
}

TEST_F(RelayTest, CrlfIsAddedOnTheWayOutOnly) {
  connect(make_tcp_pair());
  put(input_.second, "a\nb\r\nc");
  input_.second.reset();
  put(peer_, "x\ny");
  ::shutdown(peer_.get(), SHUT_WR);
  RelayRules rules;
  rules.crlf = true;
  EXPECT_FALSE(run(rules).error);
  EXPECT_EQ(take_all(peer_), "a\r\nb\r\nc");
  EXPECT_EQ(take_all(output_.first), "x\ny");
}

TEST_F(RelayTest, ATapSeesTheBytesAsTheNetworkHasThem) {
  connect(make_tcp_pair());
  put(input_.second, "a\nb");
  input_.second.reset();
  put(peer_, "x\ny");
  ::shutdown(peer_.get(), SHUT_WR);
  std::string sent, received;
  const auto collect = [](std::string& into) {
    return [&into](std::span<const std::byte> bytes) {
      into.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
  };
  RelayRules rules;
  rules.crlf = true;
  rules.sent_tap = collect(sent);
  rules.received_tap = collect(received);
  EXPECT_FALSE(run(rules).error);
  EXPECT_EQ(sent, "a\r\nb");
  EXPECT_EQ(received, "x\ny");
}

TEST_F(RelayTest, ARateLimitHoldsEachDirection) {
  connect(make_tcp_pair());
  put(input_.second, std::string(3000, 'i'));
  input_.second.reset();
  put(peer_, std::string(3000, 'p'));
  ::shutdown(peer_.get(), SHUT_WR);
  RelayRules rules;
  rules.rate_limit = 20'000;  // a burst of 1000 bytes, and then 100 ms for the other 2000
  const RelayResult result = run(rules);
  EXPECT_FALSE(result.error);
  EXPECT_GE(result.took, std::chrono::milliseconds(95));
  EXPECT_EQ(take_all(peer_), std::string(3000, 'i'));
  EXPECT_EQ(take_all(output_.first), std::string(3000, 'p'));
}

// A stream that holds bytes which its descriptor does not show, as TLS does.
class HoldingStream final : public Stream {
 public:
  explicit HoldingStream(Stream& below) : below_(below) {}
  [[nodiscard]] int read_fd() const override { return below_.read_fd(); }
  [[nodiscard]] int write_fd() const override { return below_.write_fd(); }
  Io read(std::span<std::byte> into) override {
    if (held_in_.empty()) {
      held_in_.resize(1 << 20);
      const Io io = below_.read(std::as_writable_bytes(std::span(held_in_)));
      held_in_.resize(io.count);
      if (io.kind != Io::Kind::bytes) return io;
    }
    into[0] = static_cast<std::byte>(held_in_.front());  // as slow as can be
    held_in_.erase(0, 1);
    return Io::bytes(1);
  }
  Io write(std::span<const std::byte> from) override {
    held_out_.append(reinterpret_cast<const char*>(from.data()), from.size());
    return Io::bytes(from.size());
  }
  Io flush() override {
    const Io io = below_.write(std::as_bytes(std::span(held_out_)).first(1));
    if (io.kind == Io::Kind::bytes) held_out_.erase(0, 1);
    if (held_out_.empty() && ended_) below_.finish_writing();
    return io;
  }
  void finish_writing() override {
    ended_ = true;
    if (held_out_.empty()) below_.finish_writing();
  }
  void abort() override { below_.abort(); }
  [[nodiscard]] bool has_buffered_input() const override { return !held_in_.empty(); }
  [[nodiscard]] bool has_buffered_output() const override { return !held_out_.empty(); }

 private:
  Stream& below_;
  std::string held_in_, held_out_;
  bool ended_ = false;
};

TEST_F(RelayTest, BytesThatTheStreamHoldsArriveWithoutAnEvent) {
  FdPair pair = make_tcp_pair();
  peer_ = std::move(pair.second);
  SocketStream below(std::move(pair.first));
  HoldingStream net(below);
  put(peer_, std::string(1000, 'd'));
  put(input_.second, std::string(500, 'u'));
  input_.second.reset();
  StdioStream local(input_.first.get(), output_.second.get());
  std::optional<RelayResult> result;
  Relay relay(loop_, net, local, {}, [&](const RelayResult& r) {
    result = r;
    loop_.stop();
  });
  Watch watch =
      loop_
          .watch(output_.first.get(), Interest::read,
                 [&](Ready) {
                   int waiting = 0;
                   ASSERT_EQ(::ioctl(output_.first.get(), FIONREAD, &waiting), 0);
                   if (waiting < 1000) return;
                   watch.cancel();  // all of it, although nothing more has come and nothing has ended
                   ::shutdown(peer_.get(), SHUT_WR);
                 })
          .value();
  run_guarded(loop_);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->error);
  EXPECT_EQ(result->received, 1000u);
  EXPECT_EQ(take_all(peer_), std::string(500, 'u'));
}

TEST_F(RelayTest, EndNowWritesWhatIsInHandAndDoneDoesNotRun) {
  connect(make_tcp_pair());
  bool done = false;
  RelayResult result;
  {
    StdioStream local(input_.first.get(), output_.second.get());
    Relay relay(loop_, *net_, local, {}, [&](const RelayResult&) { done = true; });
    put(peer_, "in hand");
    loop_.post([&] { loop_.post([&] { loop_.stop(); }); });
    run_guarded(loop_);
    result = relay.end_now(false);
    loop_.post([&] { loop_.stop(); });
    run_guarded(loop_);
  }
  output_.second.reset();
  EXPECT_EQ(take_all(output_.first), "in hand");
  EXPECT_EQ(result.received, 7u);
  EXPECT_FALSE(done);
}

}  // namespace
}  // namespace pier
