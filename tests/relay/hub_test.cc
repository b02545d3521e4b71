#include "relay/hub.h"

#include <cerrno>
#include <map>

#include "stream/socket_stream.h"
#include "stream/stdio.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

class HubTest : public testing::Test {
 protected:
  void start(const RelayRules& rules = {}) {
    Hub::Events events;
    events.closed = [this](Hub::ClientId id, const RelayResult& result) {
      closed_.emplace(id, result);
      if (hub_->size() == 0) loop_.stop();
    };
    events.failed = [this](const RelayResult& result) {
      failed_ = result;
      loop_.stop();
    };
    hub_ = std::make_unique<Hub>(loop_, local_, rules, std::move(events));
  }

  Fd join(Hub::ClientId id) {
    FdPair pair = make_tcp_pair();
    hub_->add(Session{.id = id, .peer = {}, .local = {}},
              std::make_unique<SocketStream>(std::move(pair.first)));
    return std::move(pair.second);
  }

  Loop loop_;
  FdPair input_ = make_pipe();
  FdPair output_ = make_pipe();
  StdioStream local_{input_.first.get(), output_.second.get()};
  std::map<Hub::ClientId, RelayResult> closed_;
  std::optional<RelayResult> failed_;
  std::unique_ptr<Hub> hub_;
};

TEST_F(HubTest, InputGoesToEveryClientAndItsEndClosesNobody) {
  start();
  Fd a = join(1);
  Fd b = join(2);
  put(input_.second, "to all");
  input_.second.reset();
  int heard = 0;
  const auto listen = [&](const Fd& fd) {
    return loop_.watch(fd.get(), Interest::read, [&](Ready) {
      char buffer[16];
      if (::read(fd.get(), buffer, sizeof buffer) == 6 && ++heard == 2) loop_.stop();
    });
  };
  Watch watch_a = listen(a).value();
  Watch watch_b = listen(b).value();
  run_guarded(loop_);
  EXPECT_EQ(heard, 2);
  EXPECT_EQ(hub_->size(), 2u);
  EXPECT_TRUE(closed_.empty());
  hub_->end_all(false);
  EXPECT_EQ(closed_.at(1).sent, 6u);
}

TEST_F(HubTest, OneClientsResetTouchesNoOther) {
  start();
  Fd a = join(1);
  Fd b = join(2);
  reset(a);
  put(b, "unharmed");
  ::shutdown(b.get(), SHUT_WR);
  run_guarded(loop_);
  ASSERT_TRUE(closed_.contains(1) && closed_.contains(2));
  EXPECT_TRUE(closed_.at(1).error);
  EXPECT_FALSE(closed_.at(2).error);
  EXPECT_EQ(closed_.at(2).received, 8u);
  output_.second.reset();
  hub_.reset();
  EXPECT_FALSE(failed_);
}

TEST_F(HubTest, AClosedOutputEndsTheServer) {
  start();
  Fd a = join(1);
  output_.first.reset();
  run_guarded(loop_);
  if (!failed_) run_guarded(loop_);
  ASSERT_TRUE(failed_);
  EXPECT_TRUE(failed_->output_closed);
  EXPECT_EQ(hub_->size(), 0u);
}

}  // namespace
}  // namespace pier
