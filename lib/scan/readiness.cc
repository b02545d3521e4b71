#include "scan/readiness.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/number.h"

namespace pier {

ReadinessTrial::ReadinessTrial(Loop& loop, Stream& stream, const Readiness& rules, TimePoint connected,
                               const Deadline& deadline, Done done)
    : loop_(loop),
      stream_(stream),
      rules_(rules),
      connected_(connected),
      deadline_(deadline),
      done_(std::move(done)),
      matched_(rules.expect == nullptr),
      stayed_(!rules.stable) {
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) start();
  });
}

void ReadinessTrial::start() {
  const auto earlier = [&](Deadline at) {
    return deadline_.never() || *at.at() < *deadline_.at() ? at : deadline_;
  };
  if (!matched_) {
    patience_ = loop_.timer(earlier(Deadline::after(rules_.reply_timeout)), [this] {
      refuse(CheckState::open, received_.empty() ? "nothing sent in " + format_duration(now() - connected_)
                                                 : "no match in " + std::to_string(received_.size()) + " B");
    });
  }
  if (!stayed_) {
    const Deadline at(connected_ + *rules_.stable);
    stable_ = loop_.timer(earlier(at), [this, at] {
      if (!at.passed()) return refuse(CheckState::open, "open, but not for long enough yet");
      stayed_ = true;
      look();
    });
  }
  auto watch = loop_.watch(stream_.read_fd(), Interest::none, [this](Ready) { on_ready(); });
  if (!watch) return refuse(CheckState::fault, watch.error().message());
  watch_ = std::move(*watch);
  on_ready();  // a stream may have read ahead of its descriptor
}

void ReadinessTrial::on_ready() {
  const std::weak_ptr alive(alive_);
  send();
  if (!alive.expired() && done_) receive();
  if (!alive.expired() && done_) update_interest();
}

void ReadinessTrial::send() {
  if (stream_.has_buffered_output() && stream_.flush().kind == Io::Kind::again) return;
  while (sent_ < rules_.send_text.size()) {
    const auto left = std::as_bytes(std::span(rules_.send_text).subspan(sent_));
    const Io io = stream_.write(left);
    if (io.kind == Io::Kind::error) return ended(stream_.error_text(io.code));
    if (io.kind != Io::Kind::bytes) return;
    sent_ += io.count;
  }
  look();  // where nothing is waited for, sending was all
}

void ReadinessTrial::receive() {
  std::array<std::byte, 4096> buffer;
  while (received_.size() < kMostText) {
    const std::size_t room = std::min(buffer.size(), kMostText - received_.size());
    const Io io = stream_.read(std::span(buffer).first(room));
    if (io.kind == Io::Kind::again) return;
    if (io.kind == Io::Kind::end) return ended("closed");
    if (io.kind == Io::Kind::error)
      return ended(io.code == ECONNRESET ? "reset" : stream_.error_text(io.code));
    received_.append(reinterpret_cast<const char*>(buffer.data()), io.count);
    if (matched_ || !rules_.expect->matches(received_)) continue;
    matched_ = true;
    patience_.cancel();
    return look();
  }
  if (!matched_) refuse(CheckState::open, "no match in the first " + format_count(kMostText) + " B");
}

void ReadinessTrial::look() {
  if (matched_ && stayed_ && sent_ == rules_.send_text.size()) finish(std::nullopt);
}

// By the peer, before it was ready.
void ReadinessTrial::ended(const std::string& how) {
  if (!matched_ && !received_.empty())
    return refuse(CheckState::open,
                  how + " after " + std::to_string(received_.size()) + " B without a match");
  refuse(CheckState::closed, "accepted, then " + how);
}

void ReadinessTrial::update_interest() {
  const bool write = sent_ < rules_.send_text.size() || stream_.has_buffered_output();
  const bool read = received_.size() < kMostText;
  if (read || write)
    watch_.set(interest(read, write));
  else
    watch_.pause();  // only `stable` is left to wait for, and the buffer of a busy server is full
}

void ReadinessTrial::refuse(CheckState state, std::string reason) {
  finish(CheckVerdict{state, std::move(reason)});
}

void ReadinessTrial::finish(std::optional<CheckVerdict> against) {
  if (!done_) return;
  watch_.cancel();
  patience_.cancel();
  stable_.cancel();
  const Done done = std::move(done_);
  done_ = nullptr;
  done({std::move(against), std::move(received_)});  // it may destroy this
}

}  // namespace pier
