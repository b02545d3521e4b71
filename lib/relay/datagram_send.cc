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
    pending_next_ = 0;
    last_activity_ = now();
  }
  settle();
}

void DatagramRelay::send_pending() {
  if (!has_pending_ || peers_.empty() || pending_next_ >= peers_.size()) return;
  while (!blocked_ && !finished_ && pending_next_ < peers_.size())
    if (send_to(peers_[pending_next_])) ++pending_next_;
  if (finished_ || pending_next_ < peers_.size()) return;
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
  const bool many = server_ && plan_.keep_open;
  if (many && peer.session.peer.is_nameless()) return true;  // it can't be answered
  const int fd = sockets_[peer.socket].get();
  const bool connected = !many && !plan_.to_many;
  const bool named = !connected || (server_ && peer.session.peer.is_unix());
  const std::string wrapped = plan_.wrap ? plan_.wrap->wrap(pending_) : std::string();
  const auto payload = plan_.wrap ? std::as_bytes(std::span(wrapped)) : std::span<const std::byte>(pending_);
  const ssize_t sent = retry_eintr([&] {
    return ::sendto(fd, payload.data(), payload.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                    named ? peer.session.peer.data() : nullptr, named ? peer.session.peer.size() : 0);
  });
  if (sent >= 0) {
    peer.sent += pending_.size();
    if (peer.taps.sent) peer.taps.sent(pending_);
    last_activity_ = now();
    retry_pause_ = kFirstRetry;
    return true;
  }
  const int code = errno;
  if (code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS) {
    wait_to_send(peer, code);
    return false;
  }
  if (many && peer.session.peer.is_unix()) {
    forget(static_cast<std::size_t>(&peer - peers_.data()));  // its socket has gone; the next moves up
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
  if (server_ && plan_.keep_open) return;
  const auto icmp = server_ ? std::nullopt : take_icmp_error(sockets_[0].get(), peers_.front().session.peer);
  if (code == 0 || insist(code)) return;  // a message that ends nothing (packet too big)
  const std::string who = peers_.empty() ? std::string() : peers_.front().session.peer.to_string();
  std::string why;
  if (!peers_.empty() && peers_.front().session.peer.is_nameless())
    why = "the client has not bound its socket to a name, so it can't be answered";
  else if (code == ECONNREFUSED && !peers_.empty() && peers_.front().session.peer.is_ip())
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
