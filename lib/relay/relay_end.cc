// How a relay's directions end, and what it waits for before it is over.
#include <fmt/core.h>

#include <algorithm>

#include "base/number.h"
#include "relay/relay.h"

namespace pier {

void Relay::peer_ended() {
  net_ended_ = true;
  if (!half_closed_) peer_first_ = true;
  tell("recv", "the peer has ended its sending side");
}

void Relay::net_failed(int code) {
  if (!half_closed_) peer_first_ = true;
  net_ended_ = true;
  net_error_ = code;
}

// Bytes of N that O has not taken, and still can.
bool Relay::owes_output() const {
  return !output_gone_ && (down_.wants_output() || local_.has_buffered_output());
}

void Relay::end_output() {
  if (!rules_.other_party || output_ended_ || output_gone_) return;
  output_ended_ = true;
  output_watch_.cancel();  // finish_writing() may close what it watches
  local_.finish_writing();
}

void Relay::abandon_output() {
  output_gone_ = true;
  output_watch_.cancel();
  if (rules_.other_party)
    rules_.receive = false;
  else
    net_ended_ = true;
  settle();
}

bool Relay::sent_all() const {
  return !rules_.send || (input_ended_ && !up_.wants_output());
}

// Bytes of ours, or the end of them, that N has not handed to the kernel.
bool Relay::net_owes_output() const {
  return send_error_ == 0 && net_error_ == 0 && (up_.wants_output() || net_.has_buffered_output());
}

void Relay::settle() {
  if (finished_) return;
  // A program whose client is lost is hung up, whatever it has still to read: it may wait for us to read
  // first.
  const bool lost = rules_.leave_output && (send_error_ != 0 || net_error_ != 0);
  const bool owes = owes_output() && !lost;
  if (over_ && !owes) return finish({}, false);
  // Row 6. What N still has for us is read to its end first; a sender only has nothing to wait for.
  const bool unsent = send_error_ != 0 && (net_ended_ || !rules_.receive || lost);
  if (unsent && !owes) {
    return finish(Error{ErrorKind::failed, "send", "", send_error_,
                        fmt::format("{}: {} B of {} were not accepted by the kernel",
                                    net_.error_text(send_error_), up_.left(), rules_.input_name)},
                  true);
  }
  if (net_error_ != 0 && !owes) {  // row 5
    std::string why = net_.error_text(net_error_);
    if (const std::uint64_t left = rules_.send ? up_.left() : 0; left > 0)
      why += fmt::format(": {} B of {} were not sent", left, rules_.input_name);
    return finish(Error{ErrorKind::failed, "recv", "", net_error_, std::move(why)}, true);
  }
  if (rules_.send && sent_all() && send_error_ == 0 && net_error_ == 0) {
    if (!half_closed_ && (!rules_.receive || rules_.half_close)) {
      half_closed_ = true;
      net_.finish_writing();
      tell("shutdown", fmt::format("our sending side: {} ended",
                                   rules_.input_name == "standard input" ? "stdin" : rules_.input_name));
    }
    if (!rules_.receive && !acknowledging_) {  // row 13
      acknowledging_ = true;
      net_watch_.set(Interest::none);
      return await_acknowledgement(std::chrono::milliseconds(1));
    }
    arm_quit();
  }
  if (net_ended_ && net_error_ == 0 && !owes_output()) end_output();
  if (net_ended_ && net_error_ == 0 && send_error_ == 0 && !owes_output()) settle_after_peer_end();
  if (!finished_) update_interest();
}

// N has ended and O has all of it: rows 2, 3, 4, 11 and 14.
void Relay::settle_after_peer_end() {
  if (net_owes_output() || owes_output()) return;  // what is in hand goes out first
  if (sent_all()) return finish({}, false);
  if (rules_.keep_input) return;
  if (rules_.input_is_terminal) return finish({}, false);  // row 4
  const std::size_t limit = allowance(up_pace_, &Relay::take_input);
  if (limit == 0) return;
  const Io io = up_.fill(limit);
  if (input_failed(io)) return;
  send();  // row 3: the loop comes back as long as I gives
  if (send_error_ != 0) return settle();
  if (io.kind == Io::Kind::again && !up_.wants_output()) return leave_idle_input();
  if (io.kind == Io::Kind::end) {
    input_ended_ = true;
    finish({}, false);
  }
}

// Row 4, once I has been silent for long enough.
void Relay::leave_idle_input() {
  const Deadline idle(last_input_ + rules_.idle_input);
  if (idle.passed()) return finish({}, false);
  input_timer_ = loop_.timer(idle, [this] { settle(); });
}

void Relay::await_acknowledgement(Duration wait) {
  // The kernel has no event for "acknowledged"; the look is repeated at growing distances up to 20 ms. A
  // reset is looked for too: it leaves the count as it is, and its event may be one that is no longer
  // listened to.
  if (const int code = net_.take_failure(); code != 0) {
    net_failed(code);
    return settle();
  }
  if (net_.has_buffered_output()) send();
  if (send_error_ != 0) return settle();
  if (!net_.has_buffered_output() && net_.unacknowledged() == 0) {
    net_.discard_input();
    return finish({}, false);
  }
  acknowledge_timer_ = loop_.timer(Deadline(now() + wait), [this, wait] {
    await_acknowledgement(std::min<Duration>(wait * 2, std::chrono::milliseconds(20)));
  });
}

void Relay::arm_quit() {
  if (!rules_.quit_after_input || quit_timer_.active() || over_) return;
  quit_timer_ = loop_.timer(Deadline::after(rules_.quit_after_input), [this] {
    over_ = true;
    settle();
  });
}

void Relay::arm_idle() {
  if (!rules_.idle_timeout) return;
  const Deadline deadline(last_activity_ + *rules_.idle_timeout);
  if (deadline.passed() && rules_.idle_is_end) {
    down_.drain();
    return finish({}, false);
  }
  if (deadline.passed()) {
    finish(Error{ErrorKind::deadline, "idle", "", 0,
                 fmt::format("no byte either way for {}", format_duration(*rules_.idle_timeout))},
           true);
    return;
  }
  idle_timer_ = loop_.timer(deadline, [this] { arm_idle(); });
}

RelayResult Relay::result() const {
  RelayResult result;
  result.output_closed = output_closed_;
  result.peer_closed_first = peer_first_;
  result.received = down_.written_total();
  result.sent = up_.written_total();
  result.took = now() - started_;
  return result;
}

void Relay::finish_output_failed(int code) {
  if (finished_) return;
  if ((rules_.other_party || rules_.output_may_go) && (code == EPIPE || code == ECONNRESET)) {
    abandon_output();
  } else if (code == EPIPE || code == ECONNRESET) {
    output_closed_ = true;
    finish({}, true);
  } else {  // row 8
    finish(Error{ErrorKind::failed, "write", rules_.output_name, code,
                 fmt::format("{}: {} B were written, {} B more had arrived", local_.error_text(code),
                             down_.written_total(), down_.in_hand())},
           true);
  }
}

void Relay::finish(std::optional<Error> error, bool reset) {
  if (finished_) return;
  finished_ = true;
  net_watch_.cancel();
  input_watch_.cancel();
  output_watch_.cancel();
  idle_timer_.cancel();
  acknowledge_timer_.cancel();
  input_timer_.cancel();
  quit_timer_.cancel();
  up_pace_.timer.cancel();
  down_pace_.timer.cancel();
  if (error && error->kind == ErrorKind::deadline && rules_.receive) down_.drain();
  if (output_gone_ && rules_.output_may_go) net_.discard_input();
  if (reset) net_.abort();
  if (reset && rules_.other_party) local_.abort();
  RelayResult ended = result();
  ended.error = std::move(error);
  loop_.post([this, alive = alive_, ended = std::move(ended)] {
    if (!*alive) return;
    const auto done = std::move(done_);  // the callback may destroy this relay
    done(ended);
  });
}

RelayResult Relay::end_now(bool reset) {
  if (!finished_) {
    if (rules_.receive) down_.drain();
    send();
    finish({}, reset);
  }
  *alive_ = false;  // `done` does not run
  return result();
}

}  // namespace pier
