#include "relay/line_pacer.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <span>

namespace pier {

Result<void> LinePacer::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("pipe", "", errno, ErrorKind::local);
  out_ = Fd(ends[0]);
  in_ = Fd(ends[1]);
  auto input = loop_.watch(from_.read_fd(), Interest::read, [this](Ready) { take(); });
  if (!input) return std::unexpected(input.error());
  input_watch_ = std::move(*input);
  auto pipe = loop_.watch(in_.get(), Interest::none, [this](Ready) { give(); });
  if (!pipe) return std::unexpected(pipe.error());
  pipe_watch_ = std::move(*pipe);
  return {};
}

void LinePacer::take() {
  std::array<std::byte, 16 * 1024> buffer;
  const Io io = from_.read(buffer);
  if (io.kind == Io::Kind::again) return;
  if (io.kind == Io::Kind::bytes) text_.append(reinterpret_cast<const char*>(buffer.data()), io.count);
  if (io.kind == Io::Kind::error) failure_ = io.code;
  ended_ = io.kind == Io::Kind::end || io.kind == Io::Kind::error;
  // The next is read once this is given: the one who writes it is to wait, too.
  input_watch_.pause();
  if (!timer_.active() || text_.empty()) give();
}

void LinePacer::give() {
  if (line_ == 0 && !text_.empty()) {
    const std::size_t newline = text_.find('\n');
    line_ = newline == std::string::npos ? text_.size() : newline + 1;
  }
  while (line_ > 0) {
    const Io io = Io::of(retry_eintr([&] { return ::write(in_.get(), text_.data(), line_); }), false);
    if (io.kind == Io::Kind::again) return pipe_watch_.set(Interest::write);
    if (io.kind != Io::Kind::bytes) return;  // nobody reads any more
    text_.erase(0, io.count);
    line_ -= io.count;
    if (line_ == 0) return wait();
  }
  if (ended_) {
    pipe_watch_.cancel();
    in_.reset();
  } else {
    input_watch_.set(Interest::read);
  }
}

// After a line. The end needs no pause.
void LinePacer::wait() {
  pipe_watch_.pause();
  timer_ = loop_.timer(Deadline::after(pause_), [this] { give(); });
  if (text_.empty() && !ended_) input_watch_.set(Interest::read);
}

}  // namespace pier
