#include "relay/exec.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "net/socket.h"
#include "net/tcp_counts.h"
#include "relay/environment.h"
#include "relay/linger.h"
#include "stream/pipe_stream.h"

namespace pier {
namespace {

// A program expects reads and writes that block. The mode belongs to the connection, ours and its alike.
void make_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

struct Pipe {
  Fd reader, writer;
};

// `ours` is the end that must not block.
Result<Pipe> make_pipe(Fd Pipe::* ours) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe", "", errno, ErrorKind::local);
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl((pipe.*ours).get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

}  // namespace

// A client and its program, from start() until ended().
class ExecService::Client {
 public:
  Client(ExecService& service, const Session& session) : service_(service), session_(session) {}
  virtual ~Client() = default;

  virtual void start() = 0;
  // What it has come to, asked once: at the end.
  virtual RelayResult result() = 0;

 protected:
  // False, and the end on its way, when the program can't be started.
  bool start_program(int input, int output) {
    auto child = service_.children_.start(
        service_.program_, peer_environment(session_), input, output, [this](int code) {
          result_.exit_status = code;
          tell("wait", fmt::format("the program ended with exit code {}", code));
          program_ended();
        });
    if (!child) {
      fail(child.error());
      return false;
    }
    child_ = std::move(*child);
    return true;
  }
  virtual void program_ended() = 0;

  // The first failure is the one that is told.
  void note(const Error& error) {
    if (!result_.error) result_.error = error;
  }
  void fail(const Error& error) {
    note(error);
    service_.loop_.post([&service = service_, id = session_.id] { service.ended(id); });
  }
  void tell(std::string_view call, std::string text) const {
    if (service_.rules_.steps != nullptr) service_.rules_.steps->step({call, -1, std::move(text), "ok", {}});
  }

  ExecService& service_;
  Session session_;
  Child child_;
  RelayResult result_;
  TimePoint started_ = now();
};

// The client's socket is the program's.
class ExecService::Inherited final : public Client {
 public:
  Inherited(ExecService& service, const Session& session, Fd socket)
      : Client(service, session), fd_(socket.get()), stream_(std::move(socket)) {}

  void start() override {
    make_blocking(fd_);
    if (!start_program(fd_, fd_)) return stream_.abort();
    tell("exec", fmt::format("{} has the socket (fd {}) as its stdin and stdout",
                             quoted(service_.program_.path), fd_));
    // The socket is the program's to read and write; we only look for a failure.
    auto watch = service_.loop_.watch(fd_, Interest::none, [this](Ready ready) { on_hang_up(ready); });
    if (watch) watch_ = std::move(*watch);
  }

  RelayResult result() override {
    if (!result_.exit_status) count();
    result_.took = now() - started_;
    return result_;
  }

 private:
  // A reset leaves nobody to serve. A Unix client that has closed may have left bytes to be read (its reset
  // is an error); for TCP both ends are over here, and the program may have taken the error that said why.
  void on_hang_up(Ready ready) {
    watch_.pause();
    const int code = take_socket_error(fd_);
    if (code == 0 && !ready.error && !(session_.via ? *session_.via : session_.peer).is_ip()) return;
    result_.peer_closed_first = true;
    if (code != 0) note(Error{ErrorKind::failed, "recv", "", code, {}});
    child_.hang_up();
  }

  void program_ended() override {
    watch_.cancel();
    count();
    stream_.finish_writing();
    linger_.emplace(service_.loop_, stream_, [this](int failure) {
      if (failure != 0) note(Error{ErrorKind::failed, "send", "", failure, {}});
      service_.ended(session_.id);
    });
  }

  // Only while our side is open: later the kernel does not tell a FIN from a byte.
  void count() {
    const auto counts = tcp_counts(fd_);
    if (!counts) return;
    result_.received = counts->received;
    result_.sent = counts->sent;
    result_.peer_closed_first |= counts->peer_ended;
  }

  int fd_;
  SocketStream stream_;
  Watch watch_;
  std::optional<Linger> linger_;
};

// The program has pipes, and a relay joins them to the client.
class ExecService::Piped final : public Client {
 public:
  Piped(ExecService& service, const Session& session, std::unique_ptr<Stream> stream)
      : Client(service, session), stream_(std::move(stream)) {}

  void start() override {
    auto input = make_pipe(&Pipe::writer);
    auto output = make_pipe(&Pipe::reader);
    if (!input || !output) return fail(input ? output.error() : input.error());
    if (!start_program(input->reader.get(), output->writer.get())) return stream_->abort();
    tell("exec", fmt::format("{} has pipes to us as its stdin and stdout", quoted(service_.program_.path)));
    pipes_ = std::make_unique<PipeStream>(std::move(output->reader), std::move(input->writer));
    RelayRules rules = service_.rules_.of(session_);
    rules.send = rules.receive = rules.half_close = true;
    rules.keep_input = true;
    rules.other_party = true;
    rules.leave_output = true;
    rules.input_name = "the program's output";
    rules.output_name = "the program's input";
    relay_ = std::make_unique<Relay>(service_.loop_, *stream_, *pipes_, rules,
                                     [this](const RelayResult& result) { relay_ended(result); });
  }

  RelayResult result() override {
    if (relay_) take(relay_->end_now(false));
    result_.took = now() - started_;
    return result_;
  }

 private:
  void take(const RelayResult& relayed) {
    result_.received = relayed.received;
    result_.sent = relayed.sent;
    result_.peer_closed_first = relayed.peer_closed_first;
    if (relayed.error) note(*relayed.error);
  }

  void relay_ended(const RelayResult& relayed) {
    take(relayed);
    relay_.reset();
    pipes_.reset();
    if (relayed.error) child_.hang_up();
    stream_.reset();
    end_when_both_have();
  }
  void program_ended() override { end_when_both_have(); }
  void end_when_both_have() {
    if (!relay_ && result_.exit_status) service_.ended(session_.id);
  }

  std::unique_ptr<Stream> stream_;
  std::unique_ptr<PipeStream> pipes_;
  std::unique_ptr<Relay> relay_;
};

ExecService::ExecService(Loop& loop, Program program, std::optional<std::size_t> descriptors,
                         const RelayRules& rules)
    : loop_(loop), program_(std::move(program)), rules_(rules), children_(loop, descriptors) {}

ExecService::~ExecService() = default;

void ExecService::serve(const Session& session, Fd socket) {
  if (rules_.wants_bytes())
    serve(session, std::make_unique<SocketStream>(std::move(socket)));
  else
    add(session.id, std::make_unique<Inherited>(*this, session, std::move(socket)));
}

void ExecService::serve(const Session& session, std::unique_ptr<Stream> stream) {
  add(session.id, std::make_unique<Piped>(*this, session, std::move(stream)));
}

void ExecService::add(std::uint64_t id, std::unique_ptr<Client> client) {
  Client& added = *client;
  clients_.emplace(id, std::move(client));
  added.start();
}

void ExecService::ended(std::uint64_t id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  const RelayResult result = found->second->result();
  const std::unique_ptr<Client> client = std::move(found->second);  // its callback may be the one that runs
  clients_.erase(found);
  closed_(id, result);
}

void ExecService::end_all() {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, client] : clients_) ids.push_back(id);
  for (const std::uint64_t id : ids) ended(id);
  children_.end_all();
}

}  // namespace pier
