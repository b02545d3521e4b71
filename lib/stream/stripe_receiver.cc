#include "stream/stripe_receiver.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "net/socket.h"

namespace pier {

StripeReceiver::StripeReceiver(std::vector<Fd> fds, std::shared_ptr<StripeReceipt> receipt)
    : fds_(std::move(fds)), receipt_(std::move(receipt)), turn_poll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!turn_poll_.valid()) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  watch_turn(true);
}

void StripeReceiver::watch_turn(bool watch) {
  epoll_event event{.events = EPOLLIN, .data = {}};
  ::epoll_ctl(turn_poll_.get(), watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fds_[turn_].get(), &event);
}

Io StripeReceiver::read(std::span<std::byte> into) {
  if (!wrong_.empty()) return Io::error(EPROTO);
  if (ended_) return Io::end();
  if (left_ == 0)
    if (const auto io = read_line()) return *io;
  const auto piece = into.first(std::min<std::uint64_t>(left_, into.size()));
  const Io io =
      Io::of(retry_eintr([&] { return ::recv(fds_[turn_].get(), piece.data(), piece.size(), 0); }), true);
  if (io.kind == Io::Kind::end) return wrong("ended in the middle of a block");
  if (io.kind != Io::Kind::bytes) return io;
  digest_.update(piece.first(io.count));
  left_ -= io.count;
  if (left_ == 0) {
    watch_turn(false);
    turn_ = (turn_ + 1) % fds_.size();
    watch_turn(true);
  }
  return io;
}

// Nothing when a block begins.
std::optional<Io> StripeReceiver::read_line() {
  const auto text = line_.read(fds_[turn_].get());
  if (!text) return wrong(text.error().message());
  if (!*text) return Io::again();
  const auto line = parse_handover_line(**text);
  if (!line) return wrong(line.error().message());
  if (line->kind == HandoverLine::Kind::block) {
    left_ = line->size;
    return std::nullopt;
  }
  if (line->kind != HandoverLine::Kind::end) return wrong("a line that does not belong here");
  const std::string digest = digest_.finish();
  if (digest != line->digest)
    return wrong("the digests differ: " + line->digest + " was sent, " + digest + " has arrived");
  receipt_->digest = digest;
  ended_ = true;
  return Io::end();
}

Io StripeReceiver::wrong(std::string why) {
  wrong_ =
      "stream " + std::to_string(turn_ + 1) + " of " + std::to_string(fds_.size()) + ": " + std::move(why);
  return Io::error(EPROTO);
}

Io StripeReceiver::write(std::span<const std::byte>) {
  wrong_ = "a client that sends over several connections hears nothing";
  return Io::error(EPROTO);
}

void StripeReceiver::abort() {
  receipt_->digest.clear();
  for (const Fd& fd : fds_) reset_on_close(fd.get());
}

std::string StripeReceiver::error_text(int code) const {
  return code == EPROTO && !wrong_.empty() ? wrong_ : errno_text(code);
}

}  // namespace pier
