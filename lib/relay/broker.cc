#include "relay/broker.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "base/number.h"

namespace pier {

struct Broker::Client {
  explicit Client(std::uint64_t number) : id(number), lines(number) {}

  std::uint64_t id;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Taps> taps;
  Watch watch;
  Timer idle;
  Timer again;     // the stream holds bytes of which epoll knows nothing
  Timer patience;  // while it is crowded
  ChatLines lines;
  std::vector<std::byte> waiting;  // from `done` on
  std::size_t done = 0;
  TimePoint started = now();
  TimePoint last_activity = started;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  bool crowded = false;
  bool ended = false;    // its side is over
  bool left = false;     // and our goodbye is said
  bool hung_up = false;  // epoll said so, and would say so again and again

  [[nodiscard]] std::size_t left_to_send() const { return waiting.size() - done; }
  // What is sent goes once it is the larger part, so that each byte is moved once at most; an idle client
  // keeps little memory.
  void forget_sent() {
    constexpr std::size_t kKept = 1024;
    if (left_to_send() == 0 && waiting.capacity() > kKept) {
      waiting = {};
      done = 0;
    }
    if (done <= waiting.size() / 2) return;
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(done));
    done = 0;
  }
  [[nodiscard]] bool has_output() const { return left_to_send() > 0 || stream->has_buffered_output(); }
};

Broker::Broker(Loop& loop, Stream& input, const RelayRules& rules, bool chat,
               std::function<void(const Error&)> input_failed)
    : loop_(loop),
      input_(input),
      rules_(rules),
      chat_(chat),
      input_failed_(std::move(input_failed)),
      buffer_(chat ? kChatRead : kRead) {
  if (!rules_.send) return;
  auto watch = loop_.watch(input_.read_fd(), Interest::none, [this](Ready) { on_input(); });
  if (watch) input_watch_ = std::move(*watch);
  input_watch_.pause();
}

Broker::~Broker() = default;

void Broker::serve(const Session& session, std::unique_ptr<Stream> stream) {
  auto made = std::make_unique<Client>(session.id);
  Client& client = *made;
  client.stream = std::move(stream);
  if (rules_.taps) client.taps = std::make_unique<Taps>(rules_.taps(session));
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
  update(client);
  update_everybody();
}

void Broker::on_client(Client& client, Ready ready) {
  if (ready.hangup || ready.error) client.hung_up = true;
  if ((ready.writable || ready.error) && !write_waiting(client)) return update_everybody();
  const bool reads = !client.ended && (crowded_ == 0 || ready.error);
  if (reads && !read_once(client)) return update_everybody();
  update(client);
  update_everybody();
}

bool Broker::read_once(Client& client) {
  const Io io = client.stream->read(buffer_);
  switch (io.kind) {
    case Io::Kind::again:
      return true;
    case Io::Kind::error:
      pass_on_last_line(client);
      close(client, Error{ErrorKind::failed, "recv", "", io.code, client.stream->error_text(io.code)});
      return false;
    case Io::Kind::end:
      client.ended = true;
      pass_on_last_line(client);
      if (client.has_output()) return true;
      leave(client);
      return false;
    case Io::Kind::bytes:
      break;
  }
  const Bytes bytes = Bytes(buffer_).first(io.count);
  client.received += io.count;
  client.last_activity = now();
  if (client.taps) client.taps->received(bytes);
  if (!chat_) {
    pass_on(client.id, bytes);
    return true;
  }
  std::string lines;
  client.lines.add(bytes, lines);
  pass_on_lines(client.id, lines);
  return true;
}

void Broker::pass_on_last_line(Client& client) {
  std::string rest;
  client.lines.end(rest);
  pass_on_lines(client.id, rest);
}

void Broker::on_input() {
  const Io io = input_.read(buffer_);
  if (io.kind == Io::Kind::error) {
    input_watch_.cancel();
    rules_.send = false;
    return input_failed_(Error{ErrorKind::local, "read", rules_.input_name, io.code, {}});
  }
  std::string lines;
  if (io.kind == Io::Kind::end) {
    input_ended_ = true;
    input_lines_.end(lines);
  } else if (io.kind == Io::Kind::bytes) {
    std::vector<std::byte> changed;
    Bytes bytes = Bytes(buffer_).first(io.count);
    if (rules_.crlf) {
      crlf_.apply(bytes, changed);
      bytes = changed;
    }
    if (chat_)
      input_lines_.add(bytes, lines);
    else
      pass_on(0, bytes);
  }
  pass_on_lines(0, lines);
  update_everybody();
}

void Broker::pass_on_lines(std::uint64_t sender, const std::string& lines) {
  if (chat_ && !lines.empty()) pass_on(sender, std::as_bytes(std::span(lines)));
}

// Written when everybody who has something to say now has been heard: one call for all of it.
void Broker::pass_on(std::uint64_t sender, Bytes bytes) {
  for (const auto& [id, client] : clients_) {
    if (id == sender || client->left) continue;
    if (client->taps) client->taps->sent(bytes);
    client->waiting.insert(client->waiting.end(), bytes.begin(), bytes.end());
    judge_crowding(*client);
  }
  if (!writing_.active()) writing_ = loop_.timer(Deadline(now()), [this] { write_all(); });
}

void Broker::write_all() {
  for (auto next = clients_.begin(); next != clients_.end();) {
    Client& client = *(next++)->second;  // it may be gone afterwards
    if (client.left_to_send() > 0 && write_waiting(client)) update(client);
  }
  update_everybody();
}

bool Broker::write_waiting(Client& client) {
  const auto failed = [&](const Io& io) {
    const std::string why = fmt::format("{}: {} B were not accepted by the kernel",
                                        client.stream->error_text(io.code), client.left_to_send());
    if (client.left)
      close(client, {});  // after our goodbye nobody need hear it
    else
      close(client, Error{ErrorKind::failed, "send", "", io.code, why});
    return false;
  };
  if (client.stream->has_buffered_output())
    if (const Io io = client.stream->flush(); io.kind == Io::Kind::error) return failed(io);
  while (client.left_to_send() > 0) {
    const Io io = client.stream->write(Bytes(client.waiting).subspan(client.done));
    if (io.kind == Io::Kind::error) return failed(io);
    if (io.kind != Io::Kind::bytes) break;
    client.done += io.count;
    client.sent += io.count;
    client.last_activity = now();
  }
  client.forget_sent();
  judge_crowding(client);
  if (!client.ended || client.has_output()) return true;
  leave(client);
  return false;
}

// Crowded from kBound on, and until half of it is gone: who takes a byte now and then holds up others all the
// same.
void Broker::judge_crowding(Client& client) {
  const std::size_t size = client.left_to_send();
  const bool crowded = size >= (client.crowded ? kBound / 2 : kBound);
  if (crowded == client.crowded) return;
  client.crowded = crowded;
  crowded ? ++crowded_ : --crowded_;
  if (!crowded) return client.patience.cancel();
  client.patience = loop_.timer(Deadline(now() + kPatience), [this, &client] {
    ++dropped_;
    close(client, Error{ErrorKind::failed, "too slow", "", 0,
                        fmt::format("{} B waited for it, and were not sent", client.left_to_send())});
    update_everybody();
  });
}

// Our own end, said where the transport has one (TLS), goes out before the socket is closed.
void Broker::leave(Client& client) {
  if (!client.left && !client.stream->raw_output().valid()) client.stream->finish_writing();
  client.left = true;
  if (!client.stream->has_buffered_output()) return close(client, {});
  update(client);
}

void Broker::close(Client& client, std::optional<Error> error) {
  RelayResult result;
  result.received = client.received;
  result.sent = client.sent;
  result.peer_closed_first = client.ended || (error && error->code != 0);
  result.took = now() - client.started;
  if (error) client.stream->abort();
  result.error = std::move(error);
  const std::uint64_t id = client.id;
  if (client.crowded) --crowded_;
  client.watch.cancel_before_close();
  clients_.erase(id);
  closed_(id, result);
}

void Broker::end_all() {
  while (!clients_.empty()) {
    Client& client = *clients_.begin()->second;
    if (client.left_to_send() > 0 && !write_waiting(client)) continue;
    close(client, {});
  }
}

void Broker::update(Client& client) {
  const bool read = !client.ended && crowded_ == 0;
  const bool write = client.has_output();
  if (!read && !write && (client.ended || client.hung_up))
    client.watch.pause();
  else
    client.watch.set(interest(read, write));
  if (read && client.stream->has_buffered_input() && !client.again.active())
    client.again = loop_.timer(Deadline(now()), [this, &client] { on_client(client, {.readable = true}); });
}

void Broker::update_everybody() {
  if (was_crowded_ != (crowded_ > 0)) {
    was_crowded_ = crowded_ > 0;
    for (const auto& [id, client] : clients_) update(*client);
  }
  if (rules_.send && !input_ended_ && !clients_.empty() && crowded_ == 0)
    input_watch_.set(Interest::read);
  else
    input_watch_.pause();
}

void Broker::arm_idle(Client& client) {
  if (!rules_.idle_timeout) return;
  const Deadline deadline(client.last_activity + *rules_.idle_timeout);
  if (!deadline.passed()) {
    client.idle = loop_.timer(deadline, [this, &client] { arm_idle(client); });
    return;
  }
  close(client, Error{ErrorKind::deadline, "idle", "", 0,
                      "no byte either way for " + format_duration(*rules_.idle_timeout)});
  update_everybody();
}

}  // namespace pier
