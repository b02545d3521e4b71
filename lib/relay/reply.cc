#include "relay/reply.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/number.h"

namespace pier {

struct ReplyService::Client {
  // What few clients need, made when they do.
  struct Extra {
    Taps taps;
    Timer idle;
    Timer again;                     // the stream holds bytes of which epoll knows nothing
    std::vector<std::byte> pending;  // to be echoed, from `done` on
    std::size_t done = 0;
  };

  std::uint64_t id = 0;
  std::unique_ptr<Stream> stream;
  Watch watch;
  std::unique_ptr<Extra> extra;
  TimePoint started = now();
  TimePoint last_activity = started;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  int tcp_fd = -1;     // where the kernel can throw bytes away by itself
  bool ended = false;  // the peer's side is over

  [[nodiscard]] bool pending() const { return extra && extra->done < extra->pending.size(); }
  Extra& more() {
    if (!extra) extra = std::make_unique<Extra>();
    return *extra;
  }
};

ReplyService::ReplyService(Loop& loop, Reply reply, const RelayRules& rules)
    : loop_(loop), reply_(reply), rules_(rules), buffer_(kRead) {}

ReplyService::~ReplyService() = default;

void ReplyService::serve(const Session& session, std::unique_ptr<Stream> stream) {
  auto made = std::make_unique<Client>();
  Client& client = *made;
  client.id = session.id;
  client.stream = std::move(stream);
  const RawEnd raw = client.stream->raw_input();
  const bool ip = session.via ? session.via->is_ip() : session.peer.is_ip();
  if (ip && raw.kind == FdKind::socket && !rules_.taps) client.tcp_fd = raw.fd;
  if (rules_.taps) client.more().taps = rules_.taps(session);
  clients_.emplace(client.id, std::move(made));
  auto watch = loop_.watch(client.stream->read_fd(), Interest::read,
                           [this, &client](Ready ready) { on_client(client, ready); });
  if (!watch) {
    loop_.post([this, id = client.id, error = watch.error()] {
      if (const auto found = clients_.find(id); found != clients_.end()) close(*found->second, error);
    });
    return;
  }
  client.watch = std::move(*watch);
  arm_idle(client);
  // A handshake may have brought the first bytes along.
  if (client.stream->has_buffered_input())
    client.more().again =
        loop_.timer(Deadline(now()), [this, &client] { on_client(client, {.readable = true}); });
}

// Each step says whether the client is still there.
void ReplyService::on_client(Client& client, Ready ready) {
  if (client.pending() || client.stream->has_buffered_output()) {
    if (!flush(client)) return;
  } else if (ready.readable || ready.hangup || ready.error) {
    if (!read_once(client)) return;
  }
  const bool waits = client.pending() || client.stream->has_buffered_output();
  if (client.ended && !waits) return close(client, {});
  client.watch.set(waits ? Interest::write : Interest::read);
  if (!waits && client.stream->has_buffered_input())
    client.more().again =
        loop_.timer(Deadline(now()), [this, &client] { on_client(client, {.readable = true}); });
}

bool ReplyService::read_once(Client& client) {
  const Io io = receive(client);
  switch (io.kind) {
    case Io::Kind::again:
      return true;
    case Io::Kind::error:
      close(client, Error{ErrorKind::failed, "recv", "", io.code, client.stream->error_text(io.code)});
      return false;
    case Io::Kind::end:
      client.ended = true;
      // A plain socket says it by being closed.
      if (!client.stream->raw_output().valid()) client.stream->finish_writing();
      return true;
    case Io::Kind::bytes:
      break;
  }
  client.received += io.count;
  if (rules_.idle_timeout) client.last_activity = now();
  const std::span<const std::byte> bytes = std::span(buffer_).first(std::min(io.count, buffer_.size()));
  if (client.extra && client.extra->taps.received) client.extra->taps.received(bytes);
  return reply_ == Reply::discard || write(client, bytes);
}

Io ReplyService::receive(Client& client) {
  constexpr std::size_t kMost = 1024 * 1024;
  if (reply_ != Reply::discard || client.tcp_fd < 0) return client.stream->read(buffer_);
  // tcp(7): with MSG_TRUNC the bytes are thrown away, and never copied.
  return Io::of(retry_eintr([&] { return ::recv(client.tcp_fd, nullptr, kMost, MSG_TRUNC | MSG_DONTWAIT); }),
                true);
}

bool ReplyService::write(Client& client, std::span<const std::byte> bytes) {
  const Io io = client.stream->write(bytes);
  if (io.kind == Io::Kind::error) {
    close(client, Error{ErrorKind::failed, "send", "", io.code, client.stream->error_text(io.code)});
    return false;
  }
  client.sent += io.count;
  if (client.extra && client.extra->taps.sent && io.count > 0) client.extra->taps.sent(bytes.first(io.count));
  if (io.count < bytes.size()) {
    const auto rest = bytes.subspan(io.count);
    client.more().pending.assign(rest.begin(), rest.end());
    client.extra->done = 0;
  }
  return true;
}

bool ReplyService::flush(Client& client) {
  if (client.stream->has_buffered_output()) {
    const Io io = client.stream->flush();
    if (io.kind == Io::Kind::error) {
      // After our goodbye nobody need hear it.
      if (client.ended && !client.pending())
        close(client, {});
      else
        close(client, Error{ErrorKind::failed, "send", "", io.code, client.stream->error_text(io.code)});
      return false;
    }
  }
  if (!client.pending()) return true;
  Client::Extra& extra = *client.extra;
  const auto rest = std::span(extra.pending).subspan(extra.done);
  const Io io = client.stream->write(rest);
  if (io.kind == Io::Kind::error) {
    close(client, Error{ErrorKind::failed, "send", "", io.code, client.stream->error_text(io.code)});
    return false;
  }
  if (io.count > 0 && extra.taps.sent) extra.taps.sent(rest.first(io.count));
  client.sent += io.count;
  extra.done += io.count;
  if (rules_.idle_timeout) client.last_activity = now();
  if (!client.pending()) extra.pending = {};
  return true;
}

void ReplyService::arm_idle(Client& client) {
  if (!rules_.idle_timeout) return;
  const Deadline deadline(client.last_activity + *rules_.idle_timeout);
  if (deadline.passed())
    return close(client, Error{ErrorKind::deadline, "idle", "", 0,
                               "no byte either way for " + format_duration(*rules_.idle_timeout)});
  client.more().idle = loop_.timer(deadline, [this, &client] { arm_idle(client); });
}

void ReplyService::close(Client& client, std::optional<Error> error) {
  RelayResult result;
  result.received = client.received;
  result.sent = client.sent;
  result.peer_closed_first = client.ended || (error && error->kind == ErrorKind::failed);
  result.took = now() - client.started;
  if (error) client.stream->abort();
  result.error = std::move(error);
  const std::uint64_t id = client.id;
  client.watch.cancel_before_close();
  clients_.erase(id);
  closed_(id, result);
}

void ReplyService::end_all() {
  while (!clients_.empty()) close(*clients_.begin()->second, {});
}

}  // namespace pier
