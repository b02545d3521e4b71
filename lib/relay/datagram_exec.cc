#include "relay/datagram_exec.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "base/number.h"
#include "net/socket.h"
#include "relay/environment.h"

namespace pier {
namespace {

constexpr int kLargest = 65536;
constexpr int kPage = 4096;
// Datagrams that wait for a program; further ones are lost, as they are when a socket's own queue is full.
constexpr std::size_t kMostQueued = 64;
// After a socket took no more, when to try again: a device's full queue has no event that tells.
constexpr Duration kRetry = std::chrono::milliseconds(2);

std::string bytes_of(const SocketAddress& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

}  // namespace

struct DatagramExec::Peer {
  Key key;
  Session session;
  Fd input, output;  // of the program: the end that we write to, the end that we read from
  Child child;
  Watch watch, input_watch;
  Timer idle, retry, input_retry;
  std::deque<std::vector<std::byte>> queue;  // for its input
  bool wide = false;                         // its input is a pipe for any datagram, not for a page
  std::vector<std::byte> pending;            // a datagram for which the socket had no room
  bool waiting = false;
  RelayResult result;
  Taps taps;
  TimePoint started = now();
  TimePoint last_activity = now();
};

DatagramExec::DatagramExec(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer,
                           DatagramExecPlan plan, SessionObserver& observer, Done done)
    : loop_(loop),
      sockets_(std::move(sockets)),
      only_peer_(std::move(peer)),
      plan_(std::move(plan)),
      observer_(observer),
      done_(std::move(done)),
      children_(loop, plan_.descriptors) {}

DatagramExec::~DatagramExec() {
  *alive_ = false;
}

Result<void> DatagramExec::start() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    auto watch =
        loop_.watch(sockets_[i].get(), Interest::read, [this, i](Ready ready) { on_socket(i, ready); });
    if (!watch) return std::unexpected(watch.error());
    watches_.push_back(std::move(*watch));
  }
  if (only_peer_) {
    add_peer(0, *only_peer_);
  } else if (plan_.accept_timeout) {
    accept_timer_ = loop_.timer(Deadline::after(plan_.accept_timeout), [this] {
      RelayResult result;
      result.error = Error{ErrorKind::deadline, "recv", "", 0,
                           "nobody wrote within " + format_duration(*plan_.accept_timeout)};
      finish(result);
    });
  }
  return {};
}

void DatagramExec::on_socket(std::size_t index, Ready ready) {
  if (ready.error) {
    const int code = take_socket_error(sockets_[index].get());
    // Of many peers, one that has gone is no matter of the others.
    if (code != 0 && single() && !peers_.empty())
      return close_peer(*peers_.begin()->second, Error{ErrorKind::failed, "send", "", code, {}});
  }
  for (int round = 0; round < 64 && ready.readable && !finished_; ++round)
    if (!receive_one(index)) return;
}

bool DatagramExec::receive_one(std::size_t index) {
  std::byte buffer[kLargest];
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  const ssize_t size = retry_eintr([&] {
    return ::recvfrom(sockets_[index].get(), buffer, sizeof buffer, MSG_DONTWAIT,
                      reinterpret_cast<sockaddr*>(&from), &from_size);
  });
  if (size < 0) return false;
  const SocketAddress sender = SocketAddress::from(from, from_size);
  if (!only_peer_ && !plan_.hosts.admit(sender)) {
    observer_.refused(sender, "not allowed");
    return true;
  }
  Peer* const peer = peer_from(index, sender);
  if (peer == nullptr) return true;
  peer->last_activity = now();
  const auto count = static_cast<std::size_t>(size);
  if (peer->taps.received) peer->taps.received(std::span(buffer, count));
  if (count == 0 || peer->queue.size() == kMostQueued) return true;
  peer->queue.emplace_back(buffer, buffer + count);
  if (peer->queue.size() == 1) give(*peer);
  return true;
}

DatagramExec::Peer* DatagramExec::peer_from(std::size_t index, const SocketAddress& address) {
  if (only_peer_ && !peers_.empty()) return peers_.begin()->second.get();
  const auto known = peers_.find({index, bytes_of(address)});
  if (known != peers_.end()) return known->second.get();
  if (single() && next_id_ > 1) return nullptr;  // a stranger, while we are with another
  make_room();
  return add_peer(index, address);
}

void DatagramExec::make_room() {
  if (peers_.size() < kMostPeers) return;
  const auto oldest =
      std::ranges::min_element(peers_, {}, [](const auto& entry) { return entry.second->last_activity; });
  observer_.note(fmt::format("{}: hung up: {} others have written since",
                             oldest->second->session.peer.to_string(), kMostPeers - 1));
  close_peer(*oldest->second, {});
}

DatagramExec::Peer* DatagramExec::add_peer(std::size_t index, const SocketAddress& address) {
  accept_timer_.cancel();
  auto added = std::make_unique<Peer>();
  Peer& peer = *added;
  peer.key = {index, bytes_of(address)};
  peer.session = {next_id_++, address, local_address(sockets_[index].get()), true};
  if (plan_.taps) peer.taps = plan_.taps(peer.session);
  peers_.emplace(peer.key, std::move(added));
  observer_.connected(peer.session);
  // With one peer only, the kernel keeps strangers out and tells of ICMP errors.
  if (single() && !only_peer_ && !address.is_nameless())
    ::connect(sockets_[index].get(), address.data(), address.size());
  if (const auto started = start_program(peer); !started) {
    close_peer(peer, started.error());
    return nullptr;
  }
  if (plan_.steps != nullptr)
    plan_.steps->step({"exec",
                       peer.output.get(),
                       fmt::format("{} for {}: each write of it is one datagram", quoted(plan_.program.path),
                                   address.to_string()),
                       "ok",
                       {}});
  arm_idle(peer);
  return &peer;
}

Result<void> DatagramExec::start_program(Peer& peer) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return system_error("pipe", "", errno, ErrorKind::local);
  const Fd their_input(in[0]);
  peer.input = Fd(in[1]);
  ::fcntl(peer.input.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(peer.input.get(), F_SETPIPE_SZ, kPage);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) != 0)
    return system_error("socketpair", "", errno, ErrorKind::local);
  const Fd their_output(out[0]);
  peer.output = Fd(out[1]);
  auto child = children_.start(plan_.program, peer_environment(peer.session), their_input.get(),
                               their_output.get(), [this, &peer](int code) { program_ended(peer, code); });
  if (!child) return std::unexpected(child.error());
  peer.child = std::move(*child);
  auto watch = loop_.watch(peer.output.get(), Interest::read, [this, &peer](Ready) { on_program(peer); });
  if (!watch) return std::unexpected(watch.error());
  peer.watch = std::move(*watch);
  auto input = loop_.watch(peer.input.get(), Interest::none, [this, &peer](Ready ready) {
    if (ready.error) return peer.input_watch.pause();  // it has closed its stdin
    give(peer);
  });
  if (!input) return std::unexpected(input.error());
  peer.input_watch = std::move(*input);
  return {};
}

// The next datagrams, as far as the program has read what it was given before.
void DatagramExec::give(Peer& peer) {
  while (!peer.queue.empty()) {
    const std::vector<std::byte>& datagram = peer.queue.front();
    int unread = 0;
    if (::ioctl(peer.input.get(), FIONREAD, &unread) == 0 && unread > 0) {
      // A pipe of one page is writable exactly when it is empty; a larger one is not as clear.
      if (!peer.wide) return peer.input_watch.set(Interest::write);
      peer.input_watch.set(Interest::none);
      peer.input_retry = loop_.timer(Deadline(now() + kRetry), [this, &peer] { give(peer); });
      return;
    }
    const bool wide = datagram.size() > static_cast<std::size_t>(kPage);
    if (wide != peer.wide) ::fcntl(peer.input.get(), F_SETPIPE_SZ, wide ? kLargest : kPage);
    peer.wide = wide;
    const ssize_t size =
        retry_eintr([&] { return ::write(peer.input.get(), datagram.data(), datagram.size()); });
    if (size > 0) peer.result.received += static_cast<std::uint64_t>(size);
    peer.queue.pop_front();
  }
  peer.input_watch.set(Interest::none);
}

// Reads one message of the program: false when there is none now.
void DatagramExec::on_program(Peer& peer) {
  std::byte buffer[kLargest];
  for (int round = 0; round < 16; ++round) {
    const ssize_t size =
        retry_eintr([&] { return ::recv(peer.output.get(), buffer, sizeof buffer, MSG_DONTWAIT); });
    if (size < 0) return;
    if (size == 0) {  // a write of nothing, or the end of its output
      pollfd end{peer.output.get(), POLLRDHUP, 0};
      if (::poll(&end, 1, 0) == 1) peer.watch.pause();
      return;
    }
    peer.pending.assign(buffer, buffer + size);
    if (send(peer) != Sent::done) return;
  }
}

DatagramExec::Sent DatagramExec::send(Peer& peer) {
  peer.waiting = false;
  const int fd = sockets_[peer.key.first].get();
  // A connected UDP socket knows its peer; a Unix one may have been connected away by its own end.
  const bool named = !single() || (!only_peer_ && peer.session.peer.is_unix());
  const ssize_t sent = retry_eintr([&] {
    return ::sendto(fd, peer.pending.data(), peer.pending.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    named ? peer.session.peer.data() : nullptr, named ? peer.session.peer.size() : 0);
  });
  const int code = sent < 0 ? errno : 0;
  if (code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS) {
    wait_to_send(peer);
    return Sent::waits;
  }
  peer.last_activity = now();
  if (code == 0) {
    peer.result.sent += static_cast<std::uint64_t>(sent);
    if (peer.taps.sent) peer.taps.sent(peer.pending);
  } else if (code == EMSGSIZE) {
    observer_.note(fmt::format("{}: a message of {} B is no datagram: too long; it was dropped",
                               peer.session.peer.to_string(), peer.pending.size()));
  } else if (single()) {
    close_peer(peer, Error{ErrorKind::failed, "send", peer.session.peer.to_string(), code, {}});
    return Sent::closed;
  }
  return Sent::done;
}

void DatagramExec::wait_to_send(Peer& peer) {
  peer.waiting = true;
  peer.watch.pause();
  peer.retry = loop_.timer(Deadline(now() + kRetry), [this, &peer] {
    if (send(peer) != Sent::done) return;
    if (peer.result.exit_status)
      drain_ended(peer);
    else
      peer.watch.set(Interest::read);
  });
}

void DatagramExec::program_ended(Peer& peer, int code) {
  peer.result.exit_status = code;
  if (!peer.waiting) drain_ended(peer);
}

// What it has written goes out before its peer is closed.
void DatagramExec::drain_ended(Peer& peer) {
  std::byte buffer[kLargest];
  for (;;) {
    const ssize_t size =
        retry_eintr([&] { return ::recv(peer.output.get(), buffer, sizeof buffer, MSG_DONTWAIT); });
    if (size <= 0) return close_peer(peer, {});
    peer.pending.assign(buffer, buffer + size);
    if (send(peer) != Sent::done) return;
  }
}

void DatagramExec::close_peer(Peer& peer, std::optional<Error> error) {
  const auto found = peers_.find(peer.key);
  const std::unique_ptr<Peer> closed = std::move(found->second);  // a callback of its may be running
  peers_.erase(found);
  closed->result.error = std::move(error);
  closed->result.took = now() - closed->started;
  observer_.closed(closed->session, closed->result);
  if (single()) finish(closed->result);
}

void DatagramExec::arm_idle(Peer& peer) {
  if (!plan_.idle_timeout) return;
  const Deadline deadline(peer.last_activity + *plan_.idle_timeout);
  if (deadline.passed())
    return close_peer(peer, Error{ErrorKind::deadline, "idle", "", 0,
                                  "no datagram either way for " + format_duration(*plan_.idle_timeout)});
  peer.idle = loop_.timer(deadline, [this, &peer] { arm_idle(peer); });
}

void DatagramExec::finish(const RelayResult& result) {
  if (finished_) return;
  finished_ = true;
  watches_.clear();
  accept_timer_.cancel();
  loop_.post([this, alive = alive_, result] {
    if (!*alive || !done_) return;
    const auto done = std::move(done_);
    done(result);
  });
}

void DatagramExec::end_now() {
  done_ = nullptr;
  finished_ = true;
  watches_.clear();
  while (!peers_.empty()) close_peer(*peers_.begin()->second, {});
  children_.end_all();
}

}  // namespace pier
