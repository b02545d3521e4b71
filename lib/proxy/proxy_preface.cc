#include "proxy/proxy_preface.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/proxy_protocol.h"

namespace pier {
namespace {

class Reading final : public Handshake {
 public:
  Reading(Loop& loop, int fd, const Deadline& deadline, Preface::Done done)
      : loop_(loop), fd_(fd), done_(std::move(done)) {
    auto watch = loop_.watch(fd_, Interest::read, [this](Ready) { read(); });
    if (!watch) {
      end_later(watch.error());
      return;
    }
    watch_ = std::move(*watch);
    timer_ = loop_.timer(
        deadline, [this] { end(fail(ErrorKind::deadline, "PROXY header", "", "it did not come in time")); });
  }

 private:
  void read() {
    for (;;) {
      char bytes[512];
      const ssize_t size =
          retry_eintr([&] { return ::recv(fd_, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT); });
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (size < 0) return end(system_error("PROXY header", "", errno));
      if (size == 0)
        return end(fail(ErrorKind::failed, "PROXY header", "", "the connection ended before it"));
      const auto fed = reader_.receive({bytes, static_cast<std::size_t>(size)});
      if (!fed) return end(std::unexpected(fed.error()));
      // Only what belongs to the header is taken away.
      if (::recv(fd_, bytes, fed->consumed, MSG_DONTWAIT) != static_cast<ssize_t>(fed->consumed))
        return end(fail(ErrorKind::failed, "PROXY header", "", "somebody else reads this socket"));
      if (fed->done) return end(Preface::Told{reader_.header().source, reader_.header().destination});
    }
  }

  void end(Result<Preface::Told> told) {
    watch_.cancel();
    timer_.cancel();
    const auto done = std::move(done_);  // it may destroy this
    done(std::move(told));
  }
  void end_later(const Error& error) {
    timer_ = loop_.timer(Deadline(now()), [this, error] { end(std::unexpected(error)); });
  }

  Loop& loop_;
  int fd_;
  Preface::Done done_;
  ProxyProtocolReader reader_;
  Watch watch_;
  Timer timer_;
};

}  // namespace

std::unique_ptr<Handshake> ProxyPreface::start(Loop& loop, int fd, const Deadline& deadline, Done done) {
  return std::make_unique<Reading>(loop, fd, deadline, std::move(done));
}

}  // namespace pier
