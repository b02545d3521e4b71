#include "scan/datagram_trial.h"

#include <sys/socket.h>

#include <cerrno>

#include "net/icmp_error.h"

namespace pier {
namespace {

constexpr std::size_t kLargest = 65536;  // no datagram is longer (RFC 768)

}  // namespace

DatagramTrial::DatagramTrial(Loop& loop, const Fd& socket, const SocketAddress& peer,
                             DatagramQuestion question, const Deadline& deadline, Done done)
    : loop_(loop),
      socket_(socket),
      peer_(peer),
      question_(std::move(question)),
      deadline_(deadline),
      done_(std::move(done)) {
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) start();
  });
}

void DatagramTrial::start() {
  keep_icmp_errors(socket_, peer_.domain(), true);
  auto watch = loop_.watch(socket_.get(), Interest::read, [this](Ready) { on_ready(); });
  if (!watch) return finish({CheckState::fault, watch.error().message()}, false);
  watch_ = std::move(*watch);
  const Deadline own = Deadline::after(question_.timeout);
  const Deadline end = deadline_.never() || *own.at() < *deadline_.at() ? own : deadline_;
  silence_ = loop_.timer(end, [this] {
    if (mismatch_) return finish({CheckState::open, *mismatch_}, false);
    finish({CheckState::open_filtered, "no answer"}, false);
  });
  again_ = loop_.timer(Deadline::after(question_.timeout / 2), [this] { ask(); });
  asked_ = now();
  ask();
}

void DatagramTrial::ask() {
  for (const std::string& message : question_.messages) {
    const ssize_t sent = ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                  peer_.data(), peer_.size());
    // A full queue loses the datagram as a network would.
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) return failed(errno);
  }
}

void DatagramTrial::on_ready() {
  std::vector<char> buffer(question_.expect ? kLargest : 1);
  const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size < 0) return failed(errno);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  if (!question_.expect || question_.expect->matches(text)) return finish({CheckState::open, "reply"}, true);
  mismatch_ = "no match in a reply of " + std::to_string(size) + " B";
}

void DatagramTrial::failed(int code) {
  const auto icmp = take_icmp_error(socket_.get(), peer_);
  const CheckVerdict verdict = datagram_verdict(code, icmp);
  finish(verdict, false);
}

void DatagramTrial::finish(CheckVerdict verdict, bool ready) {
  if (!done_) return;
  watch_.cancel();
  again_.cancel();
  silence_.cancel();
  const Done done = std::move(done_);
  done_ = nullptr;
  done({std::move(verdict), ready, now() - asked_});
}

}  // namespace pier
