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
      sockets_(std::move(sockets)),
      local_(local),
      plan_(plan),
      observer_(observer),
      done_(std::move(done)),
      server_(!peer),
      output_(kOutputQueue) {
  if (peer) fix_peer(0, *peer);
}

DatagramRelay::~DatagramRelay() {
  *alive_ = false;
}

Result<void> DatagramRelay::start() {
  if (!server_) keep_icmp_errors(sockets_[0], peers_.front().session.peer.domain(), true);
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    auto watch =
        loop_.watch(sockets_[i].get(), Interest::read, [this, i](Ready ready) { on_socket(i, ready); });
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
    socket_failed(take_socket_error(sockets_[index].get()));
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
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  const ssize_t size = retry_eintr([&] {
    return ::recvfrom(sockets_[index].get(), buffer, sizeof buffer, MSG_DONTWAIT,
                      reinterpret_cast<sockaddr*>(&from), &from_size);
  });
  if (size < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) socket_failed(errno);
    return false;
  }
  SocketAddress sender = SocketAddress::from(from, from_size);
  std::span<const std::byte> datagram(buffer, static_cast<std::size_t>(size));
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
  Peer* const peer = peer_from(index, sender);
  if (peer == nullptr) return true;  // a stranger, while we are with another
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
DatagramRelay::Peer* DatagramRelay::peer_from(std::size_t index, const SocketAddress& address) {
  if (!server_) return &peers_.front();
  const auto known = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& p) {
    return p.socket == index && p.session.peer == address;
  });
  if (known != peers_.end()) return &*known;
  if (!plan_.keep_open && !peers_.empty()) return nullptr;
  fix_peer(index, address);
  return &peers_.back();
}

void DatagramRelay::fix_peer(std::size_t index, const SocketAddress& address) {
  accept_timer_.cancel();
  if (peers_.size() == kMostPeers) forget(0);
  // With one peer only, the kernel keeps strangers out and tells of ICMP errors. A Unix client without a name
  // can't be connected to.
  if (server_ && !plan_.keep_open && !address.is_nameless())
    ::connect(sockets_[index].get(), address.data(), address.size());
  Peer peer{{next_id_++, address, local_address(sockets_[index].get()), true}, index};
  if (plan_.rules.taps) peer.taps = plan_.rules.taps(peer.session);
  peers_.push_back(std::move(peer));
  observer_.connected(peers_.back().session);
}

void DatagramRelay::forget(std::size_t number) {
  const Peer gone = peers_[number];
  peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(number));
  if (pending_next_ > number) --pending_next_;
  forgotten_received_ += gone.received;
  forgotten_sent_ += gone.sent;
  observer_.closed(gone.session, result_of(gone));
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
  const bool endless = server_ && plan_.keep_open;
  if (all_sent && !endless && !peers_.empty() && !end_timer_.active()) {
    if (!plan_.rules.receive) return finish({});
    arm_end_timer();
  }
  update_interest();
}

void DatagramRelay::arm_end_timer() {
  end_timer_ = loop_.timer(Deadline(now() + plan_.reply_timeout), [this] {
    // What has arrived is written first; output that takes nothing is waited for.
    if (!output_.empty()) return arm_end_timer();
    if (!plan_.replies) return finish({});
    finish(Error{ErrorKind::deadline, "recv", peers_.front().session.peer.to_string(), 0,
                 fmt::format("{} of {} replies came, and no more within {}", replies_, *plan_.replies,
                             format_duration(plan_.reply_timeout))});
  });
}

void DatagramRelay::arm_idle() {
  if (!plan_.rules.idle_timeout) return;
  const Deadline deadline(last_activity_ + *plan_.rules.idle_timeout);
  if (deadline.passed())
    return finish(Error{ErrorKind::deadline, "idle", "", 0,
                        "no datagram either way for " + format_duration(*plan_.rules.idle_timeout)});
  idle_timer_ = loop_.timer(deadline, [this] { arm_idle(); });
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
  for (const Peer& peer : peers_) {
    result.received += peer.received;
    result.sent += peer.sent;
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
    for (const Peer& peer : peers_) {
      RelayResult result = result_of(peer);
      result.error = ended.error;
      observer_.closed(peer.session, result);
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
  for (const Peer& peer : peers_) observer_.closed(peer.session, result_of(peer));
  return total();
}

}  // namespace pier
