// One peer and this process's own input and output, joined until both are done: two pumps and the close
// table.
//
// N is the network side, I the input, O the output. Who ends first, what becomes of bytes in flight and how
// the program ends is the close table in pier(7); the rows are named by number in relay.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "event/loop.h"
#include "net/step.h"
#include "relay/pump.h"
#include "relay/result.h"
#include "stream/rate_limit.h"
#include "stream/stream.h"

namespace pier {

// What sees the bytes of one session.
struct Taps {
  Tap sent;
  Tap received;
};

struct RelayRules {
  bool send = true;        // I goes to N (not for --recv-only, nor for a server whose input is /dev/null)
  bool receive = true;     // N goes to O (not for --send-only)
  bool half_close = true;  // I's end ends our sending side
  // After N's end, I counts as idle when it has given nothing for this long (or since the start): a producer
  // that pauses between two writes is not cut short, and one that has nothing to say does not hold us up.
  Duration idle_input = std::chrono::milliseconds(500);
  bool keep_input = false;         // after N's end, wait for I's end even while it is idle
  bool input_is_terminal = false;  // after N's end, I is left without a look
  // I and O are another's, a program's or a second peer's: N's end is passed on to O, and so is a reset. O's
  // reader may go first: what N then sends is nobody's, and is not read; I goes on to its end.
  bool other_party = false;
  // For a program: where N fails, O is not waited for. The program may be waiting for us to read first.
  bool leave_output = false;
  bool crlf = false;
  // Each sees the bytes of one direction as the network has them. With a tap every byte passes through this
  // process.
  Tap sent_tap;
  Tap received_tap;
  // Makes both for a session that begins, where each is to have its own.
  std::function<Taps(const Session&)> taps;
  // Bytes a second that may be taken from I, and as many from N; at least 1.
  std::optional<std::uint64_t> rate_limit;
  std::optional<Duration> idle_timeout;  // no byte either way for so long ends it
  // O's reader may go: no more is then received, as if N had ended, and I goes on. Nothing is reset.
  bool output_may_go = false;
  bool idle_is_end = false;  // and well: no error, and our side is closed in order rather than reset
  std::optional<Duration> quit_after_input;  // so long after I's end is sent, all is over
  // All is over with so many reads of N, each of at most kCountedRead bytes; at least 1.
  std::optional<std::uint64_t> most_reads;
  // What errors call I and O.
  std::string input_name = "standard input";
  std::string output_name = "standard output";
  StepSink* steps = nullptr;

  // The rules of one session.
  [[nodiscard]] RelayRules of(const Session& session) const {
    RelayRules rules = *this;
    if (taps) {
      Taps own = taps(session);
      rules.sent_tap = std::move(own.sent);
      rules.received_tap = std::move(own.received);
    }
    return rules;
  }
  // Whether the bytes must pass through this process to be changed, seen, counted or held back.
  [[nodiscard]] bool wants_bytes() const {
    return crlf || sent_tap || received_tap || taps || rate_limit || idle_timeout;
  }
};

class Relay {
 public:
  // What netcats read at once, so that their users count alike.
  static constexpr std::size_t kCountedRead = 16 * 1024;

  // Neither stream is owned. `done` runs once, from the loop, when the relay has ended by itself; not after
  // end_now() and not once the relay has been destroyed.
  Relay(Loop& loop, Stream& net, Stream& local, const RelayRules& rules,
        std::function<void(RelayResult)> done);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Ends it from outside, by a signal or a deadline: what is in hand goes out as far as it does not block.
  // `reset`: N's coming close is a reset.
  RelayResult end_now(bool reset);

  // Bytes so far, as RelayResult counts them.
  [[nodiscard]] std::uint64_t received() const { return down_.written_total(); }
  [[nodiscard]] std::uint64_t sent() const { return up_.written_total(); }

 private:
  // One direction's pace: what a rate limit allows, and the timer that goes on when it allows more.
  struct Pace {
    std::optional<RateLimit> limit;
    Timer timer;

    [[nodiscard]] bool waiting() const { return timer.active(); }
  };

  void start();
  void on_net(Ready ready);
  void on_output(Ready ready);
  void on_local(Ready ready);
  void receive();
  void take_input();
  void send();
  [[nodiscard]] std::size_t allowance(Pace& pace, void (Relay::*go_on)());
  [[nodiscard]] bool input_failed(const Io& io);
  void settle();
  void settle_after_peer_end();
  void leave_idle_input();
  void update_interest();
  void peer_ended();
  void net_failed(int code);
  void receive_buffered();
  void await_acknowledgement(Duration wait);
  void arm_idle();
  void arm_quit();
  void count_read();
  void give_output();
  void update_local(bool take);
  void end_output();
  void abandon_output();
  [[nodiscard]] bool owes_output() const;
  [[nodiscard]] bool sent_all() const;
  [[nodiscard]] bool net_owes_output() const;
  [[nodiscard]] RelayResult result() const;
  void finish(std::optional<Error> error, bool reset);
  void finish_output_failed(int code);
  void tell(std::string_view call, std::string text) const;
  void tell_ways() const;
  [[nodiscard]] std::function<void(Way, int)> tell_of_fall_back(std::string_view which) const;

  Loop& loop_;
  Stream& net_;
  Stream& local_;
  RelayRules rules_;
  std::function<void(RelayResult)> done_;
  Pump up_;    // I to N
  Pump down_;  // N to O
  Pace up_pace_, down_pace_;
  Watch net_watch_, input_watch_, output_watch_;
  Timer idle_timer_, acknowledge_timer_, input_timer_, quit_timer_;
  TimePoint started_ = now();
  TimePoint last_activity_ = now();
  TimePoint last_input_ = now();
  bool input_ended_ = false;
  bool half_closed_ = false;
  bool net_ended_ = false;    // N will bring no more: its end, or a reset
  int net_error_ = 0;         // errno of N's failure when reading
  int send_error_ = 0;        // errno of N's failure when writing
  bool net_hung_up_ = false;  // epoll said so: its event would come again and again
  bool peer_first_ = false;
  bool output_ended_ = false;  // by us, because N has
  bool output_gone_ = false;   // its reader has gone, as it may
  bool output_closed_ = false;
  bool acknowledging_ = false;  // row 13: only N's kernel is waited for
  bool joint_ = false;          // I and O are one descriptor, watched by input_watch_
  bool local_hung_up_ = false;  // epoll said so of it
  std::uint64_t reads_ = 0;
  bool over_ = false;  // as soon as O has what is in hand
  bool receive_posted_ = false;
  bool take_posted_ = false;
  bool finished_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier
