#include "event/race.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "base/number.h"
#include "event/race_socket.h"
#include "net/icmp_error.h"
#include "net/socket.h"
#include "net/socket_file.h"

namespace pier {
namespace {

// A Unix listener takes connections as fast as its program accepts them: ask soon, then more and more seldom.
constexpr Duration kFirstBackoff = std::chrono::milliseconds(1);
constexpr Duration kMostBackoff = std::chrono::milliseconds(100);

// A local port may come free at any time, and asking costs nothing.
constexpr Duration kFirstPortPause = std::chrono::milliseconds(20);

// A new socket gets another ephemeral port, so that connecting to itself again is a matter of bad luck,
// unless the user asked for that very source port.
constexpr int kMostSelfConnects = 3;

// What has become of an attempt by now.
enum class Fate { won, waiting, lost };

std::string_view network_of(const SocketAddress& address) {
  return address.domain() == AF_INET ? "IPv4" : "IPv6";
}

}  // namespace

struct Race::State {
  // One address being tried. The descriptor goes after what watches it.
  struct Try {
    Fd fd;
    SocketFile file;  // of a Unix source path
    Watch watch;
    Timer retry;
    Duration backoff = kFirstBackoff;
    std::optional<TimePoint> without_port;  // since when there is no local port to be had
    TimePoint started = now();
    int self_connects = 0;
    bool broadcast = false;
    bool many = false;
    bool waiting = false;
  };

  State(Loop& loop, RacePlan plan, Done done) : loop_(loop), plan_(std::move(plan)), done_(std::move(done)) {}

  void start();
  void start_next();
  Fate begin(std::size_t index);
  Fate connect(std::size_t index);
  Fate no_port(std::size_t index);
  void try_again(std::size_t index, Duration pause);
  Result<void> open_to_many(std::size_t index);
  Fate wait_for_answer(std::size_t index);
  Fate connected(std::size_t index);
  Fate lose(std::size_t index, int code, bool local);
  Fate lose_in_setup(std::size_t index, const Error& error);
  void settle(Fate fate);
  void win(std::size_t index, const SocketAddress& local);
  void stagger_passed();
  void deadline_passed();
  void finish();
  void ended(std::size_t index, Attempt::End end, Duration took);
  void tell(std::size_t index, std::string_view call, std::string text, std::string result);

  Loop& loop_;
  RacePlan plan_;
  Done done_;
  RaceResult result_;
  std::vector<std::unique_ptr<Try>> tries_;  // one for each of result_.attempts
  Timer stagger_;
  Timer deadline_;
};

void Race::State::start() {
  deadline_ = loop_.timer(plan_.deadline, [this] { deadline_passed(); });
  start_next();
}

// Begins attempts until one has to be waited for, or none is left.
void Race::State::start_next() {
  stagger_.cancel();
  while (tries_.size() < plan_.addresses.size()) {
    const std::size_t index = tries_.size();
    result_.attempts.push_back({.address = plan_.addresses[index]});
    tries_.push_back(std::make_unique<Try>());
    const Fate fate = begin(index);
    if (fate == Fate::won) return;  // and `this` may be gone
    if (fate == Fate::lost) continue;
    if (tries_.size() < plan_.addresses.size())
      stagger_ = loop_.timer(Deadline::after(plan_.stagger), [this] { stagger_passed(); });
    return;
  }
  if (std::ranges::none_of(tries_, [](const auto& one) { return one->waiting; })) finish();
}

Fate Race::State::begin(std::size_t index) {
  Try& attempt = *tries_[index];
  auto opened = open_for_attempt(plan_, plan_.addresses[index]);
  if (!opened) return lose_in_setup(index, opened.error());
  attempt.fd = std::move(opened->fd);
  attempt.file = std::move(opened->file);
  return connect(index);
}

Fate Race::State::connect(std::size_t index) {
  Try& attempt = *tries_[index];
  const auto state = connect_socket(attempt.fd, plan_.addresses[index]);
  if (state) return *state == ConnectState::connected ? connected(index) : wait_for_answer(index);
  const int code = state.error().code;
  // A broadcast address is told by the refusal to connect to it without more words (socket(7), SO_BROADCAST).
  if (code == EACCES && plan_.transport == Transport::udp && !attempt.broadcast) {
    attempt.broadcast = true;
    if (set_option(attempt.fd, SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST")) return connect(index);
  }
  if (code == EADDRNOTAVAIL && plan_.addresses[index].is_ip()) return no_port(index);
  if (plan_.transport != Transport::unix_stream || code != EAGAIN)
    return lose(index, code, state.error().kind == ErrorKind::local);
  try_again(index, attempt.backoff);
  attempt.backoff = std::min(attempt.backoff * 2, kMostBackoff);
  return Fate::waiting;
}

Fate Race::State::no_port(std::size_t index) {
  Try& attempt = *tries_[index];
  if (!attempt.without_port) {
    attempt.without_port = now();
    attempt.backoff = kFirstPortPause;
    tell(index, "connect", "", "no local port is free now; trying again");
  }
  const Duration tried = now() - *attempt.without_port;
  if (tried >= kPortPatience) {
    const SocketAddress local = local_address(attempt.fd.get());
    result_.setup = no_port_error(plan_.addresses[index], local, tried);
    return lose(index, EADDRNOTAVAIL, true);
  }
  try_again(index, std::min(attempt.backoff, kPortPatience - tried));
  attempt.backoff *= 2;
  return Fate::waiting;
}

void Race::State::try_again(std::size_t index, Duration pause) {
  tries_[index]->waiting = true;
  tries_[index]->retry = loop_.timer(Deadline::after(pause), [this, index] { settle(connect(index)); });
}

Fate Race::State::wait_for_answer(std::size_t index) {
  Try& attempt = *tries_[index];
  auto watch = loop_.watch(attempt.fd.get(), Interest::write, [this, index](Ready) {
    // What the network answers is no fault of this host, whatever the number says.
    const int fd = tries_[index]->fd.get();
    const int code = take_socket_error(fd);
    // An ICMP message that ends nothing (packet too big) wakes us too, until it is taken.
    if (code == 0 && plan_.addresses[index].is_ip() && !peer_address(fd).is_ip() &&
        take_icmp_error(fd, plan_.addresses[index]))
      return;
    settle(code == 0 ? connected(index) : lose(index, code, false));
  });
  if (!watch) return lose_in_setup(index, watch.error());
  attempt.watch = std::move(*watch);
  attempt.waiting = true;
  return Fate::waiting;
}

Fate Race::State::connected(std::size_t index) {
  Try& attempt = *tries_[index];
  const SocketAddress local = local_address(attempt.fd.get());
  if (plan_.transport == Transport::tcp && local == peer_address(attempt.fd.get())) {
    attempt.watch.cancel();
    reset_on_close(attempt.fd.get());  // an orderly end would hold the port in TIME_WAIT
    if (++attempt.self_connects == kMostSelfConnects) return lose(index, ECONNREFUSED, false);
    tell(index, "close", ": this socket had connected to itself; nobody listens there", "ok");
    attempt.fd.reset();
    return begin(index);
  }
  const bool group = plan_.transport == Transport::udp && plan_.addresses[index].ip().is_multicast();
  attempt.many = group || attempt.broadcast;
  if (attempt.many) {
    if (const auto opened = open_to_many(index); !opened) return lose_in_setup(index, opened.error());
  }
  win(index, local_address(attempt.fd.get()));
  return Fate::won;
}

// A connected socket hears its peer alone, so a fresh one takes its place.
Result<void> Race::State::open_to_many(std::size_t index) {
  Try& attempt = *tries_[index];
  const SocketAddress& target = plan_.addresses[index];
  attempt.fd.reset();  // a source port may be its
  auto opened = open_for_attempt(plan_, target);
  if (!opened) return std::unexpected(opened.error());
  attempt.fd = std::move(opened->fd);
  if (const auto set = set_option(attempt.fd, SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST"); !set) return set;
  if (local_address(attempt.fd.get()).port() != 0) return {};
  const SocketAddress bound = local_address(attempt.fd.get());
  return bind_socket(attempt.fd, SocketAddress(bound.ip(), 0));
}

Fate Race::State::lose(std::size_t index, int code, bool local) {
  Try& attempt = *tries_[index];
  Attempt& record = result_.attempts[index];
  const Duration took = now() - attempt.started;
  record.code = code;
  record.local = local;
  record.icmp = take_icmp_error(attempt.fd.get(), plan_.addresses[index]);
  tell(index, "connect", "", errno_text(code) + (record.icmp ? ", " + describe(*record.icmp) : ""));
  ended(index, Attempt::End::failed, took);
  attempt.waiting = false;
  attempt.watch.cancel();
  attempt.fd.reset();
  attempt.file = {};
  return Fate::lost;
}

Fate Race::State::lose_in_setup(std::size_t index, const Error& error) {
  Try& attempt = *tries_[index];
  result_.setup = error;
  result_.attempts[index].code = error.code;
  result_.attempts[index].local = true;
  ended(index, Attempt::End::failed, now() - attempt.started);
  attempt.waiting = false;
  attempt.fd.reset();
  return Fate::lost;
}

// After an attempt that was waited for has moved on: the next one need not wait for its turn.
void Race::State::settle(Fate fate) {
  if (fate == Fate::lost) start_next();
}

void Race::State::win(std::size_t index, const SocketAddress& local) {
  Try& winner = *tries_[index];
  const Duration took = now() - winner.started;
  const bool deferred = plan_.fast_open && is_deferred(winner.fd.get());
  if (plan_.transport == Transport::tcp) keep_icmp_errors(winner.fd, plan_.addresses[index].domain(), false);
  tell(index, "connect", ": " + success_text(plan_, winner.fd.get(), local, deferred, took), "ok");
  ended(index, Attempt::End::connected, took);
  for (std::size_t other = 0; other < tries_.size(); ++other) {
    if (other == index || !tries_[other]->waiting) continue;
    tell(other, "close", ": another address was faster", "ok");
    ended(other, Attempt::End::overtaken, now() - tries_[other]->started);
  }
  result_.winner = Connected{.fd = std::move(winner.fd),
                             .peer = plan_.addresses[index],
                             .took = took,
                             .file = std::move(winner.file),
                             .deferred = deferred,
                             .many = winner.many};
  finish();
}

void Race::State::stagger_passed() {
  const std::size_t last = tries_.size() - 1;
  if (tries_[last]->waiting)
    tell(last, "connect", "",
         "no answer yet; racing " + std::string(network_of(plan_.addresses[tries_.size()])) + " after " +
             format_duration(plan_.stagger));
  start_next();
}

void Race::State::deadline_passed() {
  for (std::size_t index = 0; index < tries_.size(); ++index) {
    if (!tries_[index]->waiting) continue;
    const Duration took = now() - tries_[index]->started;
    tell(index, "connect", "", "no answer in " + format_duration(took));
    ended(index, Attempt::End::no_answer, took);
  }
  const auto untried = plan_.addresses.begin() + static_cast<std::ptrdiff_t>(tries_.size());
  result_.not_tried.assign(untried, plan_.addresses.end());
  result_.timed_out = true;
  finish();
}

void Race::State::ended(std::size_t index, Attempt::End end, Duration took) {
  Attempt& record = result_.attempts[index];
  record.end = end;
  record.took = took;
  if (plan_.on_attempt) plan_.on_attempt(record);
}

// The last thing done: the callback may destroy the race.
void Race::State::finish() {
  stagger_.cancel();
  deadline_.cancel();
  tries_.clear();
  const Done done = std::move(done_);
  RaceResult result = std::move(result_);
  done(std::move(result));
}

void Race::State::tell(std::size_t index, std::string_view call, std::string text, std::string result) {
  if (plan_.steps == nullptr) return;
  const int fd = tries_[index]->fd.get();
  const std::string address = plan_.addresses[index].to_string();
  std::vector<std::pair<std::string, std::string>> fields{{"address", address}};
  if (const SocketAddress local = local_address(fd); local.is_ip() && local.port() != 0) {
    fields.emplace_back("local_address", local.to_string());
    fields.emplace_back("local_port", std::to_string(local.port()));
  }
  plan_.steps->step({.call = call,
                     .fd = fd,
                     .text = address + std::move(text),
                     .result = std::move(result),
                     .fields = std::move(fields)});
}

Race::Race(Loop& loop, RacePlan plan, Done done)
    : state_(std::make_shared<State>(loop, std::move(plan), std::move(done))) {
  loop.post([waiting = std::weak_ptr(state_)] {
    // Not held while it runs: the race ends when its owner destroys it, in the callback too.
    State* const state = waiting.lock().get();
    if (state != nullptr) state->start();
  });
}

Race::~Race() = default;

}  // namespace pier
