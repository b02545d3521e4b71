#include "relay/relay.h"

#include <fmt/core.h>

#include <algorithm>

namespace pier {
namespace {

// How much one event moves before the loop looks at the others again.
constexpr int kCallsPerEvent = 32;
constexpr std::size_t kBytesPerEvent = std::size_t{4} << 20;

class Turn {
 public:
  [[nodiscard]] bool goes_on() const { return calls_ < kCallsPerEvent && bytes_ < kBytesPerEvent; }
  void spend(std::size_t bytes) {
    ++calls_;
    bytes_ += bytes;
  }

 private:
  int calls_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Relay::Relay(Loop& loop, Stream& net, Stream& local, const RelayRules& rules,
             std::function<void(RelayResult)> done)
    : loop_(loop),
      net_(net),
      local_(local),
      rules_(rules),
      done_(std::move(done)),
      up_(local, net, {.crlf = rules.crlf, .tap = rules.sent_tap, .fell_back = tell_of_fall_back("sent")}),
      down_(net, local, {.tap = rules.received_tap, .fell_back = tell_of_fall_back("received")}) {
  if (rules_.rate_limit) {
    up_pace_.limit.emplace(*rules_.rate_limit);
    down_pace_.limit.emplace(*rules_.rate_limit);
  }
  start();
}

Relay::~Relay() {
  *alive_ = false;
}

void Relay::start() {
  const auto watched = [this](Result<Watch> watch, Watch& into) {
    if (watch)
      into = std::move(*watch);
    else
      finish(watch.error(), true);
  };
  watched(loop_.watch(net_.read_fd(), Interest::read, [this](Ready ready) { on_net(ready); }), net_watch_);
  joint_ = rules_.send && rules_.receive && local_.read_fd() == local_.write_fd();
  if (joint_ && !finished_)
    watched(loop_.watch(local_.read_fd(), Interest::read, [this](Ready ready) { on_local(ready); }),
            input_watch_);
  if (!joint_ && rules_.send && !finished_)
    watched(loop_.watch(local_.read_fd(), Interest::read,
                        [this](Ready) {
                          take_input();
                          settle();
                        }),
            input_watch_);
  if (!joint_ && rules_.receive && !finished_)
    watched(loop_.watch(local_.write_fd(), Interest::none, [this](Ready ready) { on_output(ready); }),
            output_watch_);
  if (finished_) return;
  tell_ways();
  arm_idle();
  update_interest();
}

void Relay::on_net(Ready ready) {
  if (ready.hangup || ready.error) net_hung_up_ = true;
  const bool held_up = up_.wants_output();
  if (ready.writable || ready.error || ready.hangup) {
    up_.output_ready();
    send();
  }
  if (held_up && !up_.wants_output() && !input_ended_) take_input();
  if (finished_) return;
  if (rules_.receive) {
    receive();
  } else if (ready.error) {
    // Row 13: what N sends is not read, but a reset is noticed.
    net_failed(ECONNRESET);
  }
  settle();
}

// What the rate lets through now. Nothing: `go_on` runs when there is something again.
std::size_t Relay::allowance(Pace& pace, void (Relay::*go_on)()) {
  if (!pace.limit) return Pump::kNoLimit;
  if (pace.waiting()) return 0;
  const std::size_t bytes = pace.limit->allowance(now());
  if (bytes == 0)
    pace.timer = loop_.timer(Deadline(pace.limit->next()), [this, go_on] {
      (this->*go_on)();
      settle();
    });
  return bytes;
}

void Relay::take_input() {
  for (Turn turn; turn.goes_on() && !finished_ && !input_ended_ && send_error_ == 0;) {
    const std::size_t limit = allowance(up_pace_, &Relay::take_input);
    if (limit == 0) return;
    const Io io = up_.fill(limit);
    turn.spend(io.count);
    if (input_failed(io)) return;
    if (io.kind == Io::Kind::end) input_ended_ = true;
    send();
    if (io.kind == Io::Kind::again || up_.source_drained()) return;
  }
}

// Row 9, or what else a read of I has come to: its time, and its share of the rate.
bool Relay::input_failed(const Io& io) {
  if (io.kind == Io::Kind::again) return false;
  last_activity_ = last_input_ = now();
  if (up_pace_.limit) up_pace_.limit->spend(io.count, last_input_);
  if (io.kind != Io::Kind::error) return false;
  down_.drain();
  const ErrorKind kind = rules_.other_party ? ErrorKind::failed : ErrorKind::local;
  finish(Error{kind, "read", rules_.input_name, io.code, {}}, true);
  return true;
}

void Relay::on_output(Ready ready) {
  if (ready.error || ready.hangup) return finish_output_failed(EPIPE);  // row 7
  give_output();
  settle();
}

// I and O as one descriptor, a second peer's.
void Relay::on_local(Ready ready) {
  if (ready.hangup || ready.error) local_hung_up_ = true;
  if (ready.writable || ready.hangup || ready.error) give_output();
  take_input();
  settle();
}

void Relay::give_output() {
  if (output_gone_ || finished_) return;
  if (local_.has_buffered_output()) {
    const Io io = local_.flush();
    if (io.kind == Io::Kind::error) return finish_output_failed(io.code);
  }
  const bool held_up = down_.wants_output();
  down_.output_ready();
  const Io io = down_.drain();
  if (io.kind == Io::Kind::error) return finish_output_failed(io.code);
  if (io.kind == Io::Kind::bytes) last_activity_ = now();
  if (held_up && !down_.wants_output()) receive();
}

void Relay::receive() {
  for (Turn turn; turn.goes_on() && !finished_ && !net_ended_ && !over_ && down_.wants_input();) {
    const std::size_t limit = allowance(down_pace_, &Relay::receive);
    if (limit == 0) return;
    const Io io = down_.fill(rules_.most_reads ? std::min(limit, kCountedRead) : limit);
    turn.spend(io.count);
    if (io.kind != Io::Kind::again) last_activity_ = now();
    if (io.kind == Io::Kind::bytes && down_pace_.limit) down_pace_.limit->spend(io.count, last_activity_);
    if (io.kind == Io::Kind::error) {
      net_failed(io.code);
    } else if (io.kind == Io::Kind::end) {
      peer_ended();
    } else if (io.kind == Io::Kind::bytes) {
      count_read();
    }
    const Io out = down_.drain();
    if (out.kind == Io::Kind::error) return finish_output_failed(out.code);
    if (io.kind == Io::Kind::again || down_.source_drained()) return;
  }
}

void Relay::count_read() {
  if (rules_.most_reads && ++reads_ == *rules_.most_reads) over_ = true;
}

void Relay::send() {
  if (send_error_ != 0) return;
  if (net_.has_buffered_output()) {
    const Io io = net_.flush();
    if (io.kind == Io::Kind::error) send_error_ = io.code;
  }
  if (send_error_ != 0 || !up_.wants_output()) return;
  const Io io = up_.drain();
  if (io.kind == Io::Kind::error) send_error_ = io.code;
  if (io.kind == Io::Kind::bytes) last_activity_ = now();
}

void Relay::update_interest() {
  const bool read = rules_.receive && !net_ended_ && !over_ && down_.wants_input() && !down_pace_.waiting();
  const bool write = net_owes_output();
  // A hang-up is told on and on; once known, it is looked at again when there is something to do with the
  // socket.
  if (!read && !write && (net_hung_up_ || net_ended_))
    net_watch_.pause();
  else
    net_watch_.set(interest(read, write));

  const bool take = rules_.send && !input_ended_ && up_.wants_input() && !up_pace_.waiting() &&
                    send_error_ == 0 && net_error_ == 0;
  update_local(take);

  if (read && net_.has_buffered_input() && !receive_posted_) {
    receive_posted_ = true;
    loop_.post([this, alive = alive_] {
      if (*alive) receive_buffered();
    });
  }
}

void Relay::update_local(bool take) {
  if (!joint_) {
    take ? input_watch_.set(Interest::read) : input_watch_.pause();
    output_watch_.set(interest(false, owes_output()));
  } else if (!take && !owes_output() && local_hung_up_) {
    input_watch_.pause();
  } else {
    input_watch_.set(interest(take, owes_output()));
  }
  if (take && local_.has_buffered_input() && !take_posted_) {
    take_posted_ = true;
    loop_.post([this, alive = alive_] {
      if (!*alive) return;
      take_posted_ = false;
      if (finished_) return;
      take_input();
      settle();
    });
  }
}

// Bytes that N holds and epoll does not see.
void Relay::receive_buffered() {
  receive_posted_ = false;
  if (finished_) return;
  receive();
  settle();
}

void Relay::tell(std::string_view call, std::string text) const {
  if (rules_.steps != nullptr) rules_.steps->step({call, net_.write_fd(), std::move(text), "ok", {}});
}

void Relay::tell_ways() const {
  if (rules_.send)
    tell(call_name(up_.way()), describe(up_.way(), rules_.input_name, local_.raw_input().kind, "the socket",
                                        net_.raw_output().kind));
  if (rules_.receive)
    tell(call_name(down_.way()), describe(down_.way(), "the socket", net_.raw_input().kind,
                                          rules_.output_name, local_.raw_output().kind));
}

std::function<void(Way, int)> Relay::tell_of_fall_back(std::string_view which) const {
  return [this, which](Way way, int code) {
    if (rules_.steps != nullptr)
      rules_.steps->step({call_name(way),
                          net_.write_fd(),
                          fmt::format("what is {} is copied from here on", which),
                          errno_text(code),
                          {}});
  };
}

}  // namespace pier
