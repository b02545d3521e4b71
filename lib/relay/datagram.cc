#include "relay/datagram.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/number.h"
#include "net/icmp_error.h"
#include "net/socket.h"

namespace pier {
namespace {

// The largest datagram there can be, and room for a few on their way to the output.
constexpr std::size_t kLargest = 65536;
constexpr std::size_t kOutputQueue = 4 * kLargest;

}  // namespace

DatagramRelay::DatagramRelay(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer,
                             Stream& local, const DatagramPlan& plan, SessionObserver& observer, Done done)
    : loop_(loop),
      local_(local),
      plan_(plan),
      observer_(observer),
      done_(std::move(done)),
      server_(!peer),
      output_(kOutputQueue) {
  for (Fd& fd : sockets) sockets_.emplace_back(std::move(fd), server_);
  if (peer) fix_peer(0, {*peer, sockets_[0].bound()});
}

DatagramRelay::~DatagramRelay() {
  *alive_ = false;
}

Result<void> DatagramRelay::start() {
  if (!server_) keep_icmp_errors(sockets_[0].fd(), only_peer().session.peer.domain(), true);
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    auto watch =
        loop_.watch(sockets_[i].fd().get(), Interest::read, [this, i](Ready ready) { on_socket(i, ready); });
    if (!watch) return std::unexpected(watch.error());
    watches_.push_back(std::move(*watch));
  }
  if (plan_.rules.send) {
    auto watch = loop_.watch(local_.read_fd(), Interest::none, [this](Ready) { on_input(); });
    if (!watch) return std::unexpected(watch.error());
    input_watch_ = std::move(*watch);
  }
  if (plan_.rules.receive) {
    auto watch = loop_.watch(local_.write_fd(), Interest::none, [this](Ready ready) { on_output(ready); });
    if (!watch) return std::unexpected(watch.error());
    output_watch_ = std::move(*watch);
  }
  arm_idle();
  arm_accept_timeout();
  update_interest();
  return {};
}

void DatagramRelay::on_socket(std::size_t index, Ready ready) {
  if (ready.error) {
    socket_failed(take_socket_error(sockets_[index].fd().get()));
    if (finished_) return;
  }
  if (ready.writable) blocked_ = false;
  // A datagram socket is read even by a sender, or what arrives would wake the loop for ever.
  for (int round = 0; round < 64 && ready.readable && !finished_; ++round)
    if (!receive_one(index)) break;
  settle();
}

// False when there is nothing more to read now.
bool DatagramRelay::receive_one(std::size_t index) {
  if (plan_.rules.receive && output_.free() < kLargest) return false;
  if (plan_.replies && replies_ == *plan_.replies) return false;
  std::byte buffer[kLargest];
  const auto arrival = sockets_[index].receive(buffer);
  if (!arrival) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) socket_failed(errno);
    return false;
  }
  SocketAddress sender = arrival->path.peer;
  std::span<const std::byte> datagram(buffer, arrival->size);
  if (plan_.wrap) {
    const auto inner = plan_.wrap->unwrap(datagram);
    if (!inner) return true;
    sender = inner->from;
    datagram = inner->payload;
  }
  if (server_ && !plan_.hosts.admit(sender)) {
    observer_.refused(sender, "not allowed");
    return true;
  }
  last_activity_ = now();
  Peer* const peer = peer_from(index, arrival->path);
  if (peer == nullptr) return true;  // a stranger, while we are with another
  peers_.touch(*peer);
  received_by_now();
  peer->received += datagram.size();
  observer_.datagram(peer->session, sender, datagram.size());
  ++replies_;
  if (peer->taps.received) peer->taps.received(datagram);
  if (plan_.rules.receive) {
    output_.append(datagram);
    drain_output();
  }
  if (end_timer_.active()) arm_end_timer();
  return true;
}

// Whose datagram it is; a server gets to know its peers by it.
DatagramRelay::Peer* DatagramRelay::peer_from(std::size_t index, const DatagramPath& path) {
  if (!server_) return &only_peer();
  if (Peer* const known = peers_.find({index, path.peer, path.local})) return known;
  if (!plan_.keep_open && !peers_.empty()) return nullptr;
  return &fix_peer(index, path);
}

DatagramRelay::Peer& DatagramRelay::fix_peer(std::size_t index, const DatagramPath& path) {
  accept_timer_.cancel();
  if (peers_.size() == kMostDatagramPeers) forget(*peers_.oldest(), {});
  // With one peer only, the kernel keeps strangers out and tells of ICMP errors.
  if (server_ && !plan_.keep_open) sockets_[index].connect_if_same(path);
  auto made = std::make_unique<Peer>();
  made->key = {index, path.peer, path.local};
  made->path = path;
  made->session = {next_id_++, path.peer, path.local, true};
  if (plan_.rules.taps) made->taps = plan_.rules.taps(made->session);
  Peer& peer = peers_.add(std::move(made));
  observer_.connected(peer.session);
  if (many() && !idle_timer_.active()) arm_peers_idle();
  return peer;
}

void DatagramRelay::forget(Peer& peer, std::optional<Error> error) {
  std::ranges::replace(targets_, &peer, nullptr);
  const std::unique_ptr<Peer> gone = peers_.take(peer);
  forgotten_received_ += gone->received;
  forgotten_sent_ += gone->sent;
  RelayResult result = result_of(*gone);
  result.error = std::move(error);
  observer_.closed(gone->session, result);
}

void DatagramRelay::on_output(Ready ready) {
  if (ready.error || ready.hangup) return finish({}, true);
  drain_output();
  settle();
}

void DatagramRelay::drain_output() {
  while (!output_.empty()) {
    const Io io = local_.write(output_.data());
    if (io.kind == Io::Kind::error) {
      if (io.code == EPIPE || io.code == ECONNRESET) return finish({}, true);
      return finish(Error{ErrorKind::failed, "write", plan_.rules.output_name, io.code, {}});
    }
    if (io.kind != Io::Kind::bytes) return;
    output_.consume(io.count);
  }
}

void DatagramRelay::settle() {
  if (finished_) return;
  send_pending();
  if (finished_) return;
  if (plan_.replies && replies_ == *plan_.replies) {
    if (output_.empty()) return finish({});
    return update_interest();
  }
  const bool all_sent = input_ended_ && !has_pending_;
  if (all_sent && !many() && !peers_.empty() && !end_timer_.active()) {
    if (!plan_.rules.receive) return finish({});
    arm_end_timer();
  }
  update_interest();
}

void DatagramRelay::arm_end_timer() {
  end_timer_ = loop_.timer(Deadline::after(plan_.reply_timeout), [this] {
    // What has arrived is written first; output that takes nothing is waited for.
    if (!output_.empty()) return arm_end_timer();
    if (!plan_.replies) return finish({});
    finish(Error{ErrorKind::deadline, "recv", only_peer().session.peer.to_string(), 0,
                 fmt::format("{} of {} replies came, and no more within {}", replies_, *plan_.replies,
                             format_duration(*plan_.reply_timeout))});
  });
}

void DatagramRelay::arm_idle() {
  if (!plan_.rules.idle_timeout || many()) return;
  const Deadline deadline(last_activity_ + *plan_.rules.idle_timeout);
  if (deadline.passed() && plan_.rules.idle_is_end) {
    drain_output();
    return finish({});
  }
  if (deadline.passed()) return finish(datagrams_idle(*plan_.rules.idle_timeout));
  idle_timer_ = loop_.timer(deadline, [this] { arm_idle(); });
}

// One timer for all: the peers are in the order of their silence.
void DatagramRelay::arm_peers_idle() {
  if (!plan_.rules.idle_timeout) return;
  const Deadline next = peers_.expire(*plan_.rules.idle_timeout, [this](Peer& peer) {
    forget(peer, datagrams_idle(*plan_.rules.idle_timeout));
  });
  idle_timer_ = loop_.timer(next, [this] { arm_peers_idle(); });
  update_interest();
}

void DatagramRelay::arm_accept_timeout() {
  if (!server_ || !plan_.accept_timeout) return;
  accept_timer_ = loop_.timer(Deadline::after(plan_.accept_timeout), [this] {
    finish(Error{ErrorKind::deadline, "recv", "", 0,
                 "nobody wrote within " + format_duration(*plan_.accept_timeout)});
  });
}

void DatagramRelay::update_interest() {
  if (finished_) return;
  const bool enough = plan_.replies && replies_ == *plan_.replies;
  const bool read = !enough && (!plan_.rules.receive || output_.free() >= kLargest);
  const bool write = blocked_ && has_pending_ && !retry_timer_.active();
  for (Watch& watch : watches_) watch.set(interest(read, write));
  // Without anybody to send to, the input waits.
  if (plan_.rules.send && !input_ended_ && !has_pending_ && !peers_.empty())
    input_watch_.set(Interest::read);
  else
    input_watch_.pause();
  output_watch_.set(interest(false, !output_.empty()));
}

RelayResult DatagramRelay::result_of(const Peer& peer) const {
  RelayResult result;
  result.received = peer.received;
  result.sent = peer.sent;
  result.took = now() - peer.started;
  return result;
}

RelayResult DatagramRelay::total() const {
  RelayResult result;
  result.received = forgotten_received_;
  result.sent = forgotten_sent_;
  for (const auto& peer : peers_) {
    result.received += peer->received;
    result.sent += peer->sent;
  }
  result.took = now() - started_;
  return result;
}

void DatagramRelay::finish(std::optional<Error> error, bool output_closed) {
  if (finished_) return;
  finished_ = true;
  watches_.clear();
  input_watch_.cancel();
  output_watch_.cancel();
  end_timer_.cancel();
  idle_timer_.cancel();
  accept_timer_.cancel();
  retry_timer_.cancel();
  insist_timer_.cancel();
  if (error && error->kind == ErrorKind::deadline) (void)local_.write(output_.data());
  RelayResult ended = total();
  ended.error = std::move(error);
  ended.output_closed = output_closed;
  loop_.post([this, alive = alive_, ended] {
    if (!*alive) return;
    for (const auto& peer : peers_) {
      RelayResult result = result_of(*peer);
      result.error = ended.error;
      observer_.closed(peer->session, result);
    }
    const auto done = std::move(done_);  // the callback may destroy this relay
    done(ended);
  });
}

RelayResult DatagramRelay::end_now() {
  if (!finished_) {
    drain_output();
    finish({});
  }
  *alive_ = false;  // `done` does not run
  for (const auto& peer : peers_) observer_.closed(peer->session, result_of(*peer));
  return total();
}

}  // namespace pier
