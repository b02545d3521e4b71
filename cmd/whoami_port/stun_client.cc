#include "cmd/whoami_port/stun_client.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/number.h"
#include "net/socket.h"

namespace pier::whoami {
namespace {

std::unexpected<Error> no_answer(const SocketAddress& server, std::string_view why) {
  return fail(ErrorKind::unknown, "stun", server.to_string(), why);
}

// What a response is worth: the message, or why it is not an answer.
Result<StunAnswer> answer_of(StunMessage message, const SocketAddress& server) {
  if (message.kind == StunClass::error) {
    if (!message.error) return no_answer(server, "the server answers with an error of no code");
    std::string why =
        fmt::format("the server answers {} {}", message.error->code, quoted(message.error->reason));
    if (message.alternate)
      why += fmt::format("; it names another server: {}", message.alternate->to_string());
    return no_answer(server, why);
  }
  if (!message.unknown.empty())
    return no_answer(server, fmt::format("the answer has an attribute that is not known: 0x{:04x}",
                                         message.unknown.front()));
  if (!message.mapped) return no_answer(server, "the answer has no address");
  return StunAnswer{.message = std::move(message), .local = {}, .from = {}, .took = {}, .sent = 0};
}

void tell(StepSink* steps, std::string_view call, int fd, std::string text, std::string result = "ok") {
  if (steps == nullptr) return;
  Step step;
  step.call = call;
  step.fd = fd;
  step.text = std::move(text);
  step.result = std::move(result);
  steps->step(step);
}

}  // namespace

Result<std::unique_ptr<StunPort>> StunPort::open(Loop& loop, const IpAddress& local,
                                                 const std::optional<SocketAddress>& peer, StepSink* steps) {
  std::unique_ptr<StunPort> port(new StunPort(loop, steps));
  auto fd = open_socket(Transport::udp, domain_of(local.family()), steps);
  if (!fd) return std::unexpected(fd.error());
  port->fd_ = *std::move(fd);
  if (const auto bound = bind_socket(port->fd_, {local, 0}, steps); !bound)
    return std::unexpected(bound.error());
  if (peer) {
    if (const auto connected = connect_socket(port->fd_, *peer); !connected)
      return std::unexpected(connected.error());
    port->connected_ = true;
  }
  port->local_ = local_address(port->fd_.get());
  auto watch = loop.watch(port->fd_.get(), Interest::read, [raw = port.get()](Ready) { raw->readable(); });
  if (!watch) return std::unexpected(watch.error());
  port->watch_ = *std::move(watch);
  return port;
}

void StunPort::ask(const StunRequest& request, const SocketAddress& to, std::optional<Duration> longest,
                   StunDone done) {
  Question& question = questions_[request.id];
  question.bytes = encode(request);
  question.to = to;
  question.schedule = StunSchedule(false, longest);
  question.done = std::move(done);
  question.begun = now();
  const StunId id = request.id;
  question.end = loop_.timer(Deadline(question.begun + question.schedule.give_up()), [this, id] {
    const Question& asked = questions_.at(id);
    finish(id, no_answer(asked.to, fmt::format("no answer in {} to {} request{}",
                                               format_duration(asked.schedule.give_up()), asked.sent,
                                               asked.sent == 1 ? "" : "s")));
  });
  question.timer = loop_.timer(Deadline(question.begun), [this, id] { send(id); });
}

void StunPort::send(const StunId& id) {
  Question& question = questions_.at(id);
  const ssize_t n = retry_eintr([&] {
    return connected_ ? ::send(fd_.get(), question.bytes.data(), question.bytes.size(), MSG_NOSIGNAL)
                      : ::sendto(fd_.get(), question.bytes.data(), question.bytes.size(), MSG_NOSIGNAL,
                                 question.to.data(), question.to.size());
  });
  const int code = n < 0 ? errno : 0;
  ++question.sent;
  tell(steps_, "sendto", fd_.get(),
       fmt::format("a STUN Binding request to {}, for the {}. time", question.to.to_string(), question.sent),
       code == 0 ? "ok" : errno_text(code));
  // A full buffer loses this one only, as the network might have.
  if (code != 0 && code != EAGAIN && code != ENOBUFS) {
    finish(id, no_answer(question.to, errno_text(code)));
    return;
  }
  if (const auto next = question.schedule.next(question.sent))
    question.timer = loop_.timer(Deadline(question.begun + *next), [this, id] { send(id); });
}

void StunPort::readable() {
  std::array<std::byte, 65536> buffer;
  for (;;) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    const ssize_t n = retry_eintr([&] {
      return ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&storage),
                        &length);
    });
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) {
      fail_all(errno);
      return;
    }
    take(std::span(buffer).first(static_cast<std::size_t>(n)), SocketAddress::from(storage, length));
  }
}

// Anything may arrive at a UDP port: what is no message, or of no question of ours, is passed over.
void StunPort::take(std::span<const std::byte> datagram, const SocketAddress& from) {
  auto message = decode_stun(datagram);
  if (!message || message->method != kStunBinding) return;
  if (message->kind == StunClass::request) {
    if (on_request_) on_request_(*message);
    return;
  }
  const StunId id = message->id;
  const auto found = questions_.find(id);
  if (message->kind == StunClass::indication || found == questions_.end()) return;
  const Question& question = found->second;
  tell(steps_, "recvfrom", fd_.get(), fmt::format("a STUN response from {}", from.to_string()));
  auto answer = answer_of(*std::move(message), question.to);
  if (answer) {
    answer->local = local_;
    answer->from = from;
    answer->took = now() - question.begun;
    answer->sent = question.sent;
  }
  finish(id, std::move(answer));
}

void StunPort::finish(const StunId& id, Result<StunAnswer> answer) {
  auto node = questions_.extract(id);
  node.mapped().done(std::move(answer));
}

// Of a connected socket, whose questions all go to one peer.
void StunPort::fail_all(int code) {
  std::vector<StunId> ids;
  for (const auto& [id, question] : questions_) ids.push_back(id);
  for (const StunId& id : ids)
    if (const auto found = questions_.find(id); found != questions_.end())
      finish(id, no_answer(found->second.to, errno_text(code)));
}

StunConnection::StunConnection(Loop& loop, const SocketAddress& server,
                               std::shared_ptr<Handshaker> handshaker, std::optional<Duration> longest,
                               StepSink* steps, StunDone done)
    : loop_(loop),
      server_(server),
      handshaker_(std::move(handshaker)),
      schedule_(true, longest),
      done_(std::move(done)),
      steps_(steps) {
  ConnectPlan plan;
  plan.endpoint.host = server.ip().to_string();
  plan.endpoint.port = server.port();
  plan.steps = steps;
  begun_ = now();
  end_ = loop.timer(Deadline(begun_ + schedule_.give_up()), [this] {
    finish(no_answer(server_, fmt::format("no answer in {}", format_duration(schedule_.give_up()))));
  });
  connector_.emplace(loop, std::move(plan), [this](Result<Connected> result, const std::vector<Attempt>&) {
    connected(std::move(result));
  });
}

void StunConnection::connected(Result<Connected> result) {
  if (!result) {
    Error error = result.error();
    if (error.kind == ErrorKind::failed) error.kind = ErrorKind::unknown;
    finish(std::unexpected(std::move(error)));
    return;
  }
  local_ = local_address(result->fd.get());
  if (!handshaker_) {
    begin(std::make_unique<SocketStream>(std::move(result->fd)));
    return;
  }
  handshake_ = handshaker_->start(loop_, std::move(result->fd), server_.to_string(), Deadline(),
                                  [this](Result<std::unique_ptr<Stream>> stream) {
                                    if (stream) return begin(*std::move(stream));
                                    finish(std::unexpected(stream.error()));
                                  });
}

void StunConnection::begin(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  begun_ = now();
  auto watch = loop_.watch(stream_->read_fd(), Interest::both, [this](Ready) { exchange(); });
  if (!watch) return finish(std::unexpected(watch.error()));
  watch_ = *std::move(watch);
  tell(steps_, "write", stream_->write_fd(), "a STUN Binding request to " + server_.to_string());
}

// The request is far below what a fresh connection takes at once; the response is read up to the length it
// says.
void StunConnection::exchange() {
  const auto lost = [&](const Io& io) {
    finish(no_answer(server_, io.kind == Io::Kind::end ? "the server closed the connection before an answer"
                                                       : stream_->error_text(io.code)));
  };
  if (!written_) {
    const Io io = stream_->write(out_);
    if (io.kind == Io::Kind::error) return lost(io);
    if (io.kind != Io::Kind::bytes) return;
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(io.count));
    written_ = out_.empty();
    if (!written_) return;
    watch_.set(Interest::read);
  }
  for (;;) {
    std::array<std::byte, 2048> buffer;
    const Io io = stream_->read(buffer);
    if (io.kind == Io::Kind::again) return;
    if (io.kind != Io::Kind::bytes) return lost(io);
    in_.insert(in_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(io.count));
    const auto length = stun_length(in_);
    if (!length) return finish(no_answer(server_, "this is no STUN server: " + length.error().message()));
    if (!*length || in_.size() < **length) continue;
    auto message = decode_stun(std::span(in_).first(**length));
    if (!message) return finish(no_answer(server_, "this is no STUN server: " + message.error().message()));
    if (message->id != request_.id || message->method != kStunBinding ||
        (message->kind != StunClass::success && message->kind != StunClass::error))
      return finish(no_answer(server_, "the server answers another question"));
    auto answer = answer_of(*std::move(message), server_);
    if (answer) {
      answer->local = local_;
      answer->from = server_;
      answer->took = now() - begun_;
      answer->sent = 1;
    }
    return finish(std::move(answer));
  }
}

// The last thing done here: the callback may destroy this.
void StunConnection::finish(Result<StunAnswer> answer) {
  watch_.cancel();
  end_.cancel();
  const auto done = std::move(done_);
  done(std::move(answer));
}

}  // namespace pier::whoami
