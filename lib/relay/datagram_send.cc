// The sending half of DatagramRelay: from the input to the peers, and what stands in the way.
#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/number.h"
#include "net/icmp_error.h"
#include "net/socket.h"
#include "relay/datagram.h"

namespace pier {
namespace {

// Between two looks whether a receiver has room again.
constexpr Duration kFirstRetry = std::chrono::milliseconds(1);
constexpr Duration kLastRetry = std::chrono::milliseconds(100);

// While it is not known whether the first datagram has met anybody: how long after a refusal it is sent
// again, and how long no refusal comes until it is taken for received.
constexpr Duration kInsistPause = std::chrono::milliseconds(50);
constexpr Duration kInsistQuiet = std::chrono::milliseconds(100);

}  // namespace

void DatagramRelay::on_input() {
  if (finished_ || has_pending_) return;
  std::vector<std::byte> buffer(plan_.largest);
  const Io io = local_.read(buffer);
  if (io.kind == Io::Kind::error)
    return finish(Error{ErrorKind::local, "read", plan_.rules.input_name, io.code, {}});
  if (io.kind == Io::Kind::end) input_ended_ = true;
  if (io.kind == Io::Kind::bytes) {
    pending_.clear();
    if (plan_.rules.crlf)
      crlf_.apply(std::span(buffer).first(io.count), pending_);
    else
      pending_.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(io.count));
    has_pending_ = true;
    take_targets();
    last_activity_ = now();
  }
  settle();
}

// Who writes while it is on its way comes too late for it.
void DatagramRelay::take_targets() {
  targets_.clear();
  for (const auto& peer : peers_) targets_.push_back(peer.get());
  pending_next_ = 0;
}

void DatagramRelay::send_pending() {
  if (!has_pending_ || pending_next_ >= targets_.size()) return;
  while (!blocked_ && !finished_ && pending_next_ < targets_.size()) {
    Peer* const target = targets_[pending_next_];
    if (target == nullptr || send_to(*target)) ++pending_next_;
  }
  if (finished_ || pending_next_ < targets_.size()) return;
  if (plan_.insist)
    insist_timer_ = loop_.timer(Deadline::after(kInsistQuiet), [this] { received_by_now(); });
  else
    has_pending_ = false;
}

// The first datagram has been answered, or not been refused for long enough.
void DatagramRelay::received_by_now() {
  if (!plan_.insist || finished_) return;
  plan_.insist.reset();
  insist_timer_.cancel();
  has_pending_ = false;
  settle();
}

// True when a refusal ends nothing: what was refused will be sent again.
bool DatagramRelay::insist(int code) {
  if (!plan_.insist || code != ECONNREFUSED || plan_.insist->passed(now() + kInsistPause)) return false;
  if (!has_pending_) return true;
  insist_timer_ = loop_.timer(Deadline::after(kInsistPause), [this] {
    pending_next_ = 0;
    settle();
  });
  return true;
}

// True when the datagram is on its way, or can never be.
bool DatagramRelay::send_to(Peer& peer) {
  if (many() && peer.session.peer.is_nameless()) return true;  // it can't be answered
  const bool named = server_ || plan_.to_many;
  const std::string wrapped = plan_.wrap ? plan_.wrap->wrap(pending_) : std::string();
  const auto payload = plan_.wrap ? std::as_bytes(std::span(wrapped)) : std::span<const std::byte>(pending_);
  const int code = sockets_[peer.key.socket].send(payload, named ? &peer.path : nullptr);
  if (code == 0) {
    peer.sent += pending_.size();
    if (peer.taps.sent) peer.taps.sent(pending_);
    peers_.touch(peer);
    last_activity_ = peer.last_activity;
    retry_pause_ = kFirstRetry;
    return true;
  }
  if (code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS) {
    wait_to_send(peer, code);
    return false;
  }
  if (many() && peer.session.peer.is_unix()) {
    forget(peer, Error{ErrorKind::failed, "send", peer.session.peer.to_string(), code, {}});
    return false;
  }
  socket_failed(code);
  return true;
}

// poll(2) tells of room in our own queue, and of the peer's only where the socket is connected to it; a full
// queue of the device (ENOBUFS) it does not know at all. There, trying again is all there is.
void DatagramRelay::wait_to_send(const Peer& peer, int code) {
  blocked_ = true;
  const bool told_by_poll = code != ENOBUFS && (!peer.session.peer.is_unix() || !server_);
  if (told_by_poll) return;
  retry_pause_ = std::clamp(retry_pause_, kFirstRetry, kLastRetry);
  retry_timer_ = loop_.timer(Deadline(now() + retry_pause_), [this] {
    blocked_ = false;
    settle();
  });
  retry_pause_ *= 2;
}

void DatagramRelay::socket_failed(int code) {
  // One of many peers has gone: that is no matter of the others.
  if (many()) return;
  const auto icmp =
      server_ ? std::nullopt : take_icmp_error(sockets_[0].fd().get(), only_peer().session.peer);
  if (code == 0 || insist(code)) return;  // a message that ends nothing (packet too big)
  const std::string who = peers_.empty() ? std::string() : only_peer().session.peer.to_string();
  std::string why;
  if (!peers_.empty() && only_peer().session.peer.is_nameless())
    why = "the client has not bound its socket to a name, so it can't be answered";
  else if (code == ECONNREFUSED && !peers_.empty() && only_peer().session.peer.is_ip())
    why = "connection refused (ICMP port unreachable): nobody listens there";
  else if (icmp)
    why = errno_text(code) + ", " + describe(*icmp);
  drain_output();
  if (plan_.insist)
    return finish(Error{ErrorKind::deadline, "send", who, code,
                        "not up in time: " + (why.empty() ? errno_text(code) : why)});
  finish(Error{ErrorKind::failed, "send", who, code, why});
}

}  // namespace pier
