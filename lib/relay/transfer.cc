#include "relay/transfer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace pier {
namespace {

// So many calls in a row that moved nothing between ends that poll calls ready are no race any more.
constexpr int kFruitless = 4;

ssize_t splice_now(int from, int to, std::size_t size) {
  return retry_eintr(
      [&] { return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK); });
}

// Makes a pipe as large as wanted, where that is allowed, and says how large it is. Never smaller.
std::size_t widen(int pipe, int wanted) {
  const int size = ::fcntl(pipe, F_GETPIPE_SZ);
  if (size >= wanted) return static_cast<std::size_t>(size);
  const int now = ::fcntl(pipe, F_SETPIPE_SZ, wanted);
  return static_cast<std::size_t>(std::max({now, size, PIPE_BUF}));
}

struct EndsReady {
  bool from;
  bool to;
};
EndsReady ends_ready(int from, int to) {
  pollfd ends[2] = {{from, POLLIN, 0}, {to, POLLOUT, 0}};
  if (::poll(ends, 2, 0) < 0) return {true, true};
  return {ends[0].revents != 0, ends[1].revents != 0};
}

// Whether a socket that splice(2) has called ended is. Before urgent data it says so too, once the peer's end
// has arrived behind them; recv(2) goes on past them.
Io confirm_end(const RawEnd& from) {
  if (from.kind != FdKind::socket) return Io::end();
  std::byte next;
  return Io::of(retry_eintr([&] { return ::recv(from.fd, &next, 1, MSG_PEEK | MSG_DONTWAIT); }), true);
}

enum class Fault { refused, source, destination };

// Whose fault an error of a straight call is. A socket tells of its failure once, so that has to be known at
// once; a file tells as often as it is asked, and copying will find out.
Fault fault_of(int code, FdKind from, FdKind to) {
  switch (code) {
    case EINVAL:
    case ENOSYS:
    case EPERM:
    case EBADF:
    case ENOMEM:
    case ESPIPE:
      return Fault::refused;
    case EPIPE:  // a reader that has gone: only a destination has one
      return Fault::destination;
    case EIO:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EISDIR:
    case EOVERFLOW:
    case ESTALE:
      if (from == FdKind::regular || to == FdKind::regular) return Fault::refused;
      break;
    default:
      break;
  }
  if (to == FdKind::socket) return Fault::destination;
  if (from == FdKind::socket) return Fault::source;
  return Fault::refused;
}

}  // namespace

Transfer::Transfer(Way way, const RawEnd& from, const RawEnd& to) : way_(way), from_(from), to_(to) {
  if (from_.kind == FdKind::regular) rest_ = bytes_waiting(from_).value_or(0);
}

bool Transfer::open_own_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    refused_ = errno;
    return false;
  }
  own_out_ = Fd(ends[0]);
  own_in_ = Fd(ends[1]);
  own_size_ = widen(own_in_.get(), to_.kind == FdKind::null_device ? kPipeToNull : kPipe);
  return true;
}

Io Transfer::fill(std::size_t limit) {
  if (!wants_input()) return Io::again();
  return is_straight(way_) ? move_straight(limit) : fill_own_pipe(limit);
}

// A socket that has just given this much is being written to as fast as can be: the next segments are there
// as a rule by the time the last ones are through, and asking again costs less than to sleep and be woken for
// each.
bool Transfer::took_all(std::size_t count, std::size_t asked) const {
  constexpr std::size_t kBulk = 32 * 1024;
  if (from_.kind == FdKind::regular) return false;
  return count < (from_.kind == FdKind::socket ? std::min(asked, kBulk) : asked);
}

ssize_t Transfer::move(std::size_t size) {
  if (way_ == Way::splice) return splice_now(from_.fd, to_.fd, size);
  // No more than the file has: before Linux 6.5 a call that asks for more leaves the last segment waiting for
  // what will not come. At the end, whatever has been added since.
  if (rest_ > 0) size = std::min(size, rest_);
  const ssize_t moved = retry_eintr([&] { return ::sendfile(to_.fd, from_.fd, nullptr, size); });
  if (moved > 0) rest_ -= std::min(rest_, static_cast<std::size_t>(moved));
  return moved;
}

Io Transfer::move_straight(std::size_t limit) {
  const std::size_t size = std::min(limit, kChunk);
  const ssize_t moved = move(size);
  const int code = errno;
  const Io io = Io::of(moved, true);
  drained_ = took_all(io.count, size);
  if (io.kind == Io::Kind::bytes) {
    fruitless_ = 0;
    widen_pipes(io.count);
    return io;
  }
  if (io.kind == Io::Kind::end) return ended();
  if (io.kind == Io::Kind::error) return failed(code);
  const EndsReady ready = ends_ready(from_.fd, to_.fd);
  output_blocked_ = !ready.to;
  fruitless_ = ready.from && ready.to ? fruitless_ + 1 : 0;
  if (fruitless_ >= kFruitless) refused_ = EAGAIN;
  return io;
}

// The pipes of others stay as they are until it is plain that much goes through them. A larger one then saves
// turns between their process and ours: half of the time and of the processor's.
void Transfer::widen_pipes(std::size_t moved) {
  if (straight_ >= kChunk) return;
  straight_ += moved;
  if (straight_ < kChunk) return;
  for (const RawEnd& end : {from_, to_})
    if (end.kind == FdKind::pipe) widen(end.fd, kPipeOfOthers);
}

Io Transfer::fill_own_pipe(std::size_t limit) {
  if (own_size_ == 0 && !open_own_pipe()) return Io::again();
  const std::size_t size = std::min(limit, own_size_);
  const Io io = Io::of(splice_now(from_.fd, own_in_.get(), size), true);
  drained_ = took_all(io.count, size);
  if (io.kind == Io::Kind::bytes) {
    fruitless_ = 0;
    held_ = io.count;
  }
  if (io.kind == Io::Kind::end) return ended();
  // The pipe is empty, so it is the source that has nothing; unless it has what splice does not take, such as
  // urgent data.
  if (io.kind == Io::Kind::again && ++fruitless_ >= kFruitless) {
    fruitless_ = 0;
    if (ends_ready(from_.fd, own_in_.get()).from) refused_ = EAGAIN;
  }
  if (io.kind == Io::Kind::error && fault_of(io.code, from_.kind, FdKind::pipe) == Fault::refused)
    refused_ = io.code;
  return io;
}

Io Transfer::ended() {
  const Io io = confirm_end(from_);
  if (io.kind != Io::Kind::bytes) return io;
  refused_ = EAGAIN;
  return Io::again();
}

Io Transfer::failed(int code) {
  switch (fault_of(code, from_.kind, to_.kind)) {
    case Fault::source:
      return Io::error(code);
    case Fault::destination:
      output_error_ = code;
      return Io::again();
    case Fault::refused:
      break;
  }
  refused_ = code;
  return Io::again();
}

Io Transfer::drain() {
  if (refused_ != 0) return Io::again();
  if (output_error_ != 0) return Io::error(output_error_);
  std::size_t moved = 0;
  while (held_ > 0) {
    const Io io = Io::of(splice_now(own_out_.get(), to_.fd, held_), false);
    if (io.kind == Io::Kind::error) {
      if (fault_of(io.code, FdKind::pipe, to_.kind) != Fault::refused) return io;
      refused_ = io.code;
      break;
    }
    if (io.kind != Io::Kind::bytes) break;
    held_ -= io.count;
    moved += io.count;
  }
  return moved > 0 ? Io::bytes(moved) : Io::again();
}

std::size_t Transfer::take_back(std::span<std::byte> into) {
  const ssize_t got = retry_eintr([&] { return ::read(own_out_.get(), into.data(), into.size()); });
  const std::size_t taken = got > 0 ? static_cast<std::size_t>(got) : 0;
  held_ -= taken;
  return taken;
}

}  // namespace pier
