#include "relay/datagram_exec.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <utility>
#include <vector>

#include "relay/environment.h"

namespace pier {
namespace {

constexpr int kLargest = 65536;
constexpr int kPage = 4096;
// Datagrams that wait for a program; further ones are lost, as they are when a socket's own queue is full.
constexpr std::size_t kMostQueued = 64;
// After a socket took no more, when to try again: a device's full queue has no event that tells.
constexpr Duration kRetry = std::chrono::milliseconds(2);

}  // namespace

class DatagramExec::Handler final : public DatagramHandler {
 public:
  Handler(DatagramExec& service, DatagramLine& line) : service_(service), line_(line) {}

  Result<void> start() override;
  bool has_room() const override { return queue_.size() < kMostQueued; }
  void received(std::span<const std::byte> datagram) override;

 private:
  void give();
  void on_program();
  enum class Sent { done, waits, closed };  // closed: this handler is no more
  Sent send();
  void wait_to_send();
  void drain_ended();

  DatagramExec& service_;
  DatagramLine& line_;
  Fd input_, output_;  // of the program: the end that we write to, the end that we read from
  Child child_;
  Watch watch_, input_watch_;
  Timer retry_, input_retry_;
  std::deque<std::vector<std::byte>> queue_;  // for its input
  bool wide_ = false;                         // its input is a pipe for any datagram, not for a page
  std::vector<std::byte> pending_;            // a datagram for which the socket had no room
  bool waiting_ = false;
  std::optional<int> exit_status_;
};

DatagramExec::DatagramExec(Loop& loop, Program program, std::optional<std::size_t> descriptors,
                           SessionObserver& observer, StepSink* steps)
    : loop_(loop),
      program_(std::move(program)),
      observer_(observer),
      steps_(steps),
      children_(loop, descriptors) {}

std::unique_ptr<DatagramHandler> DatagramExec::serve(DatagramLine& line) {
  return std::make_unique<Handler>(*this, line);
}

Result<void> DatagramExec::Handler::start() {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return system_error("pipe", "", errno, ErrorKind::local);
  const Fd their_input(in[0]);
  input_ = Fd(in[1]);
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(input_.get(), F_SETPIPE_SZ, kPage);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) != 0)
    return system_error("socketpair", "", errno, ErrorKind::local);
  const Fd their_output(out[0]);
  output_ = Fd(out[1]);
  auto child = service_.children_.start(service_.program_, peer_environment(line_.session()),
                                        their_input.get(), their_output.get(), [this](int code) {
                                          exit_status_ = code;
                                          if (!waiting_) drain_ended();
                                        });
  if (!child) return std::unexpected(child.error());
  child_ = std::move(*child);
  auto watch = service_.loop_.watch(output_.get(), Interest::read, [this](Ready) { on_program(); });
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  auto input = service_.loop_.watch(input_.get(), Interest::none, [this](Ready ready) {
    if (ready.error) return input_watch_.pause();  // it has closed its stdin
    give();
  });
  if (!input) return std::unexpected(input.error());
  input_watch_ = std::move(*input);
  if (service_.steps_ != nullptr)
    service_.steps_->step({"exec",
                           output_.get(),
                           fmt::format("{} for {}: each write of it is one datagram",
                                       quoted(service_.program_.path), line_.session().peer.to_string()),
                           "ok",
                           {}});
  return {};
}

void DatagramExec::Handler::received(std::span<const std::byte> datagram) {
  if (datagram.empty()) return;
  queue_.emplace_back(datagram.begin(), datagram.end());
  if (queue_.size() == 1) give();
}

// The next datagrams, as far as the program has read what it was given before.
void DatagramExec::Handler::give() {
  while (!queue_.empty()) {
    const std::vector<std::byte>& datagram = queue_.front();
    int unread = 0;
    if (::ioctl(input_.get(), FIONREAD, &unread) == 0 && unread > 0) {
      // A pipe of one page is writable exactly when it is empty; a larger one is not as clear.
      if (!wide_) return input_watch_.set(Interest::write);
      input_watch_.set(Interest::none);
      input_retry_ = service_.loop_.timer(Deadline(now() + kRetry), [this] { give(); });
      return;
    }
    const bool wide = datagram.size() > static_cast<std::size_t>(kPage);
    if (wide != wide_) ::fcntl(input_.get(), F_SETPIPE_SZ, wide ? kLargest : kPage);
    wide_ = wide;
    // A program that has closed its stdin gets nothing.
    (void)retry_eintr([&] { return ::write(input_.get(), datagram.data(), datagram.size()); });
    queue_.pop_front();
  }
  input_watch_.set(Interest::none);
}

// Reads messages of the program, as long as they can be sent.
void DatagramExec::Handler::on_program() {
  std::byte buffer[kLargest];
  for (int round = 0; round < 16; ++round) {
    const ssize_t size =
        retry_eintr([&] { return ::recv(output_.get(), buffer, sizeof buffer, MSG_DONTWAIT); });
    if (size < 0) return;
    if (size == 0) {  // a write of nothing, or the end of its output
      pollfd end{output_.get(), POLLRDHUP, 0};
      if (::poll(&end, 1, 0) == 1) watch_.pause();
      return;
    }
    pending_.assign(buffer, buffer + size);
    if (send() != Sent::done) return;
  }
}

DatagramExec::Handler::Sent DatagramExec::Handler::send() {
  waiting_ = false;
  const int code = line_.send(pending_);
  if (code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS) {
    wait_to_send();
    return Sent::waits;
  }
  if (code == EMSGSIZE)
    service_.observer_.note(fmt::format("{}: a message of {} B is no datagram: too long; it was dropped",
                                        line_.session().peer.to_string(), pending_.size()));
  return end_if_unreachable(line_, code) ? Sent::closed : Sent::done;
}

void DatagramExec::Handler::wait_to_send() {
  waiting_ = true;
  watch_.pause();
  retry_ = service_.loop_.timer(Deadline(now() + kRetry), [this] {
    if (send() != Sent::done) return;
    if (exit_status_)
      drain_ended();
    else
      watch_.set(Interest::read);
  });
}

// What it has written goes out before its peer is closed.
void DatagramExec::Handler::drain_ended() {
  std::byte buffer[kLargest];
  for (;;) {
    const ssize_t size =
        retry_eintr([&] { return ::recv(output_.get(), buffer, sizeof buffer, MSG_DONTWAIT); });
    if (size <= 0) return line_.close({}, exit_status_);
    pending_.assign(buffer, buffer + size);
    if (send() != Sent::done) return;
  }
}

}  // namespace pier
