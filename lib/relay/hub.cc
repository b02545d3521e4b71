#include "relay/hub.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/number.h"
#include "relay/feed.h"
#include "relay/linger.h"

namespace pier {

struct Hub::Client {
  ClientId id;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Taps> taps;
  std::unique_ptr<Feed> feed;  // until all of it is sent
  std::unique_ptr<Linger> linger;
  Watch watch;
  Timer idle;
  Timer leaving;                  // after its end, while the input may still have something for it
  Timer reading;                  // what the stream holds itself, of which epoll knows nothing
  ByteQueue queue{kClientQueue};  // input on its way to this client
  TimePoint started = now();
  TimePoint last_activity = now();
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  bool crowded = false;  // counted in crowded_
  bool ended = false;    // it has ended its side; what is queued for it still goes out
  bool hung_up = false;  // epoll said so, and would say so again and again
  bool left = false;     // its coming close is said, and waits until the socket has it
};

Hub::Hub(Loop& loop, Stream& local, const RelayRules& rules, Events events)
    : loop_(loop), local_(local), rules_(rules), events_(std::move(events)) {
  if (rules_.send) {
    auto watch = loop_.watch(local_.read_fd(), Interest::read, [this](Ready) { on_input(); });
    if (watch)
      input_watch_ = std::move(*watch);
    else
      rules_.send = false;
  }
  if (rules_.receive) {
    auto watch = loop_.watch(local_.write_fd(), Interest::none, [this](Ready ready) { on_output(ready); });
    if (watch) output_watch_ = std::move(*watch);
  }
  update_interest();
}

Hub::~Hub() = default;

void Hub::add(const Session& session, std::unique_ptr<Stream> stream) {
  auto client = std::make_unique<Client>();
  Client& added = *client;
  added.id = session.id;
  added.stream = std::move(stream);
  if (rules_.taps) added.taps = std::make_unique<Taps>(rules_.taps(session));
  clients_.emplace(session.id, std::move(client));
  auto watch = loop_.watch(added.stream->read_fd(), Interest::read,
                           [this, &added](Ready ready) { on_client(added, ready); });
  if (!watch) return close_client(added, watch.error(), true);
  added.watch = std::move(*watch);
  if (source_ && !start_feed(added)) return;
  arm_idle(added);
  update_client(added);
  update_interest();
}

bool Hub::start_feed(Client& client) {
  auto source = source_();
  if (!source) {
    close_client(client, source.error(), true);
    return false;
  }
  PumpOptions options{.crlf = rules_.crlf};
  if (client.taps) options.tap = client.taps->sent;
  client.feed = std::make_unique<Feed>(std::move(*source), *client.stream, std::move(options));
  return true;
}

// Rows 1 and 3 for a client with a file of its own; row 13 where nothing is received.
void Hub::advance_feed(Client& client) {
  const auto all = client.feed->advance();
  if (client.feed->sent() != client.sent) client.last_activity = now();
  client.sent = client.feed->sent();
  if (!all) return close_client(client, all.error(), true);
  if (!*all) return;
  client.feed.reset();
  if (client.ended) return say_goodbye(client);
  if (rules_.half_close || !rules_.receive) client.stream->finish_writing();
  if (!rules_.receive && !client.stream->has_buffered_output()) wait_for_acknowledgement(client);
}

void Hub::wait_for_acknowledgement(Client& client) {
  client.linger = std::make_unique<Linger>(loop_, *client.stream, [this, &client](int code) {
    if (code == 0) return close_client(client, {}, false);
    close_client(client, Error{ErrorKind::failed, "send", "", code, {}}, true);
  });
}

void Hub::on_client(Client& client, Ready ready) {
  if (ready.hangup || ready.error) client.hung_up = true;
  const ClientId id = client.id;
  if (client.linger) return client.watch.pause();  // its failure is looked for there
  if (ready.writable || ready.error) drain(client);
  if (failed_ || !clients_.contains(id)) return;
  if (rules_.receive) {
    receive(client);
  } else if (ready.error) {
    return close_client(client, Error{ErrorKind::failed, "recv", "", ECONNRESET, {}}, true);
  } else if (ready.hangup && client.feed) {
    return close_client(client, Error{ErrorKind::failed, "send", "", EPIPE, {}}, true);
  } else if (ready.hangup) {
    return close_client(client, {}, false);
  }
  if (failed_) return;
  if (clients_.contains(id)) update_client(client);
  update_interest();
}

// Reads once into the common output, and writes what the output takes.
void Hub::receive(Client& client) {
  if (client.ended || output_full()) return;
  const std::span<std::byte> room = output_.prepare();
  const Io io = client.stream->read(room);
  switch (io.kind) {
    case Io::Kind::again:
      return;
    case Io::Kind::error:
      return close_client(
          client, Error{ErrorKind::failed, "recv", "", io.code, client.stream->error_text(io.code)}, true);
    case Io::Kind::end:
      client.ended = true;
      return leave_when_idle(client);
    case Io::Kind::bytes:
      break;
  }
  if (client.taps) client.taps->received(room.first(io.count));
  output_.commit(io.count);
  client.received += io.count;
  client.last_activity = now();
  drain_output();
}

void Hub::drain(Client& client) {
  if (client.stream->has_buffered_output()) {
    const Io io = client.stream->flush();
    if (io.kind == Io::Kind::error && client.left) return close_client(client, {}, false);  // it has gone
    if (io.kind == Io::Kind::error)
      return close_client(
          client, Error{ErrorKind::failed, "send", "", io.code, client.stream->error_text(io.code)}, true);
  }
  if (client.feed) return advance_feed(client);
  if (source_ && !rules_.receive && !client.stream->has_buffered_output())
    return wait_for_acknowledgement(client);
  while (!client.queue.empty()) {
    const Io io = client.stream->write(client.queue.data());
    if (io.kind == Io::Kind::error) {
      const std::string why = fmt::format("{}: {} B were not accepted by the kernel",
                                          client.stream->error_text(io.code), client.queue.size());
      return close_client(client, Error{ErrorKind::failed, "send", "", io.code, why}, true);
    }
    if (io.kind != Io::Kind::bytes) return;
    client.queue.consume(io.count);
    client.sent += io.count;
    client.last_activity = now();
  }
  if (client.ended) leave_when_idle(client);
}

// A client that has ended its side gets what is in hand for it, and more while the input keeps giving (rows 3
// and 4).
void Hub::leave_when_idle(Client& client) {
  if (!client.queue.empty() || client.feed) return;
  if (client.left) return say_goodbye(client);
  const bool more = rules_.send && !input_ended_ && !rules_.input_is_terminal;
  const Deadline idle(std::max(client.started, last_input_) + rules_.idle_input);
  if (!more || idle.passed()) return say_goodbye(client);
  client.leaving = loop_.timer(idle, [this, &client] { leave_when_idle(client); });
}

// Our own end, said where the transport has one (TLS), goes out before the socket is closed; a plain one says
// it by being closed.
void Hub::say_goodbye(Client& client) {
  if (!client.left && !client.stream->raw_output().valid()) client.stream->finish_writing();
  client.left = true;
  if (client.stream->has_buffered_output()) return update_client(client);
  close_client(client, {}, false);
}

void Hub::on_input() {
  if (!input_wanted()) return update_interest();
  std::vector<std::byte> chunk(kChunk);
  const Io io = local_.read(chunk);
  if (io.kind == Io::Kind::end) {
    input_ended_ = true;
    let_ended_clients_go();
  }
  if (io.kind == Io::Kind::error) {
    RelayResult result;
    result.error = Error{ErrorKind::local, "read", "standard input", io.code, {}};
    return fail(result);
  }
  if (io.kind == Io::Kind::bytes) {
    last_input_ = now();
    chunk.resize(io.count);
    if (rules_.crlf) {
      std::vector<std::byte> changed;
      crlf_.apply(chunk, changed);
      chunk.swap(changed);
    }
    std::vector<ClientId> ids;  // a client that fails leaves the map
    for (const auto& [id, client] : clients_) ids.push_back(id);
    for (const ClientId id : ids) {
      Client& client = *clients_.at(id);
      if (client.taps) client.taps->sent(chunk);
      client.queue.append(chunk);
      drain(client);
      if (clients_.contains(id)) update_client(client);
    }
  }
  update_interest();
}

void Hub::let_ended_clients_go() {
  std::vector<ClientId> ids;  // closing takes them out of the map
  for (const auto& [id, client] : clients_)
    if (client->ended) ids.push_back(id);
  for (const ClientId id : ids)
    if (clients_.contains(id)) leave_when_idle(*clients_.at(id));
}

void Hub::on_output(Ready ready) {
  RelayResult result;
  if (ready.error || ready.hangup) {
    result.output_closed = true;
    return fail(result);
  }
  drain_output();
  if (!failed_) update_interest();
}

void Hub::drain_output() {
  while (!output_.empty()) {
    const Io io = local_.write(output_.data());
    if (io.kind == Io::Kind::error) {
      RelayResult result;
      result.output_closed = io.code == EPIPE || io.code == ECONNRESET;
      if (!result.output_closed)
        result.error = Error{ErrorKind::failed, "write", "standard output", io.code, {}};
      return fail(result);
    }
    if (io.kind != Io::Kind::bytes) return;
    output_.consume(io.count);
  }
  if (clients_.empty() && events_.quiet) events_.quiet();
}

void Hub::close_client(Client& client, std::optional<Error> error, bool reset) {
  RelayResult result;
  result.peer_closed_first = client.ended || error.has_value();
  result.received = client.received;
  result.sent = client.sent;
  result.took = now() - client.started;
  result.error = std::move(error);
  if (reset) client.stream->abort();
  const ClientId id = client.id;
  client.watch.cancel_before_close();
  if (client.crowded) --crowded_;
  clients_.erase(id);
  events_.closed(id, result);
  if (failed_) return;
  if (is_quiet() && events_.quiet) events_.quiet();
  update_interest();
}

void Hub::end_all(bool reset) {
  if (!failed_) drain_output();
  while (!clients_.empty()) {
    Client& client = *clients_.begin()->second;
    const ClientId id = client.id;
    drain(client);
    // Half a file must not look whole.
    if (clients_.contains(id)) close_client(client, {}, reset || client.feed);
  }
}

void Hub::fail(const RelayResult& result) {
  if (failed_) return;
  failed_ = true;
  input_watch_.cancel();
  output_watch_.cancel();
  end_all(true);
  events_.failed(result);
}

void Hub::arm_idle(Client& client) {
  if (!rules_.idle_timeout) return;
  const Deadline deadline(client.last_activity + *rules_.idle_timeout);
  if (deadline.passed()) {
    const std::string why = "no byte either way for " + format_duration(*rules_.idle_timeout);
    return close_client(client, Error{ErrorKind::deadline, "idle", "", 0, why}, true);
  }
  client.idle = loop_.timer(deadline, [this, &client] { arm_idle(client); });
}

bool Hub::input_wanted() const {
  return rules_.send && !input_ended_ && !clients_.empty() && crowded_ == 0;
}

void Hub::update_client(Client& client) {
  const bool crowded = client.queue.free() < 2 * kChunk;
  if (crowded != client.crowded) crowded ? ++crowded_ : --crowded_;
  client.crowded = crowded;
  const bool read = rules_.receive && !client.ended && !output_full();
  const bool write = !client.queue.empty() || client.feed || client.stream->has_buffered_output();
  if (!read && !write && (client.hung_up || client.ended))
    client.watch.pause();
  else
    client.watch.set(interest(read, write));
  if (read && client.stream->has_buffered_input() && !client.reading.active())
    client.reading = loop_.timer(Deadline(now()), [this, &client] { on_client(client, {.readable = true}); });
}

// Input and output; and every client when the output has become full or has room again.
void Hub::update_interest() {
  if (failed_) return;
  if (clients_paused_ != output_full()) {
    clients_paused_ = output_full();
    for (const auto& [id, client] : clients_) update_client(*client);
  }
  if (input_wanted())
    input_watch_.set(Interest::read);
  else
    input_watch_.pause();
  output_watch_.set(interest(false, !output_.empty()));
}

}  // namespace pier
