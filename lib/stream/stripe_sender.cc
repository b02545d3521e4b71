#include "stream/stripe_sender.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "net/socket.h"

namespace pier {

StripeSender::StripeSender(Loop& loop, std::vector<Fd> fds)
    : loop_(loop), fds_(std::move(fds)), buffer_(kMostHandoverLine + kBlock) {}

Result<void> StripeSender::start() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    return system_error("socketpair", "", errno, ErrorKind::local);
  near_ = std::make_unique<SocketStream>(Fd(pair[0]));
  far_ = Fd(pair[1]);
  for (std::size_t i = 0; i < fds_.size(); ++i) {
    auto watch = loop_.watch(fds_[i].get(), Interest::none, [this, i](Ready ready) {
      if (i == 0 && ready.readable) read_receipt();
      if (ready.error || ready.hangup) {
        const int code = take_socket_error(fds_[i].get());
        if (code != 0) return wrong("stream " + std::to_string(i + 1) + ": " + errno_text(code));
        if (!done_ && i == 0) read_receipt();
      }
      pump();
    });
    if (!watch) return std::unexpected(watch.error());
    watches_.push_back(std::move(*watch));
  }
  auto watch = loop_.watch(far_.get(), Interest::read, [this](Ready) { pump(); });
  if (!watch) return std::unexpected(watch.error());
  far_watch_ = std::move(*watch);
  update_interest();
  return {};
}

// The next block, from what is there; the last line at the end. False when there is nothing now.
bool StripeSender::fill() {
  if (input_ended_ || !far_.valid()) return false;
  const auto room = std::span(buffer_).subspan(kMostHandoverLine);
  const ssize_t size =
      retry_eintr([&] { return ::recv(far_.get(), room.data(), room.size(), MSG_DONTWAIT); });
  if (size < 0) return false;
  HandoverLine line{.kind = HandoverLine::Kind::block, .size = static_cast<std::uint64_t>(size)};
  if (size == 0) {
    input_ended_ = true;
    own_digest_ = digest_.finish();
    line = {.kind = HandoverLine::Kind::end, .digest = own_digest_};
  } else {
    digest_.update(room.first(static_cast<std::size_t>(size)));
  }
  // The line stands right before the bytes.
  const std::string text = line.to_string();
  sent_ = kMostHandoverLine - text.size();
  std::ranges::copy(std::as_bytes(std::span(text)), buffer_.begin() + static_cast<std::ptrdiff_t>(sent_));
  held_ = kMostHandoverLine + static_cast<std::size_t>(size);
  return true;
}

void StripeSender::pump() {
  while (wrong_.empty() && (sent_ < held_ || fill())) {
    const ssize_t size = retry_eintr(
        [&] { return ::send(fds_[turn_].get(), buffer_.data() + sent_, held_ - sent_, MSG_NOSIGNAL); });
    if (size < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK)
        return wrong("stream " + std::to_string(turn_ + 1) + ": " + errno_text(errno));
      break;
    }
    sent_ += static_cast<std::size_t>(size);
    if (sent_ == held_) turn_ = (turn_ + 1) % fds_.size();
  }
  update_interest();
}

void StripeSender::update_interest() {
  if (!far_.valid()) return;
  const bool waits = sent_ < held_;
  for (std::size_t i = 0; i < watches_.size(); ++i) watches_[i].set(interest(i == 0, waits && i == turn_));
  if (input_ended_ || waits)
    far_watch_.pause();
  else
    far_watch_.set(Interest::read);
}

void StripeSender::read_receipt() {
  if (done_ || !wrong_.empty()) return;
  const auto text = line_.read(fds_.front().get());
  if (!text) return wrong("the other side has not confirmed the digest: " + text.error().message());
  if (!*text) return;
  const auto line = parse_handover_line(**text);
  if (!line) return wrong(line.error().message());
  if (line->kind != HandoverLine::Kind::done || own_digest_.empty() || line->digest != own_digest_)
    return wrong("the digests differ: " + own_digest_ + " was sent, " + line->digest + " has arrived");
  done_ = true;
  watches_.clear();
  far_watch_.cancel();
  far_.reset();  // the end, for who reads
}

// Whoever writes or reads is told.
void StripeSender::wrong(std::string why) {
  if (!wrong_.empty()) return;
  wrong_ = std::move(why);
  watches_.clear();
  far_watch_.cancel();
  far_.reset();
}

Io StripeSender::read(std::span<std::byte> into) {
  const Io io = near_->read(into);
  if (io.kind == Io::Kind::again) return io;
  if (!wrong_.empty() || !done_) return Io::error(EPROTO);
  return Io::end();
}

Io StripeSender::write(std::span<const std::byte> from) {
  if (!wrong_.empty()) return Io::error(EPROTO);
  return near_->write(from);
}

void StripeSender::abort() {
  for (const Fd& fd : fds_) reset_on_close(fd.get());
}

std::string StripeSender::error_text(int code) const {
  return wrong_.empty() ? errno_text(code) : wrong_;
}

}  // namespace pier
