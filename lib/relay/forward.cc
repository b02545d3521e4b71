#include "relay/forward.h"

#include <fmt/core.h>

#include <optional>
#include <vector>

#include "base/number.h"
#include "net/socket.h"
#include "relay/linger.h"
#include "stream/prefix_stream.h"
#include "stream/socket_stream.h"

namespace pier {
namespace {

// A request is read in pieces of this size; what is read beyond it is kept.
constexpr std::size_t kPiece = 4096;

}  // namespace

// One client from its first byte to its last: asking, connecting, answering, relaying; or refusing.
class ForwardService::Client {
 public:
  Client(ForwardService& service, const Session& session, std::unique_ptr<Stream> stream)
      : service_(service), session_(session), stream_(std::move(stream)) {}

  void start() {
    auto watch =
        service_.loop_.watch(stream_->read_fd(), Interest::none, [this](Ready ready) { on_client(ready); });
    if (!watch) return fail_later(watch.error());
    watch_ = std::move(*watch);
    arm_idle();
    if (!service_.plan_.request) return connect(service_.plan_.connect.endpoint);
    request_ = service_.plan_.request();
    stage_ = Stage::asking;
    watch_.set(Interest::read);
    if (stream_->has_buffered_input()) later([this] { ask(); });
  }

  RelayResult result() {
    if (relay_) take(relay_->end_now(false));
    result_.took = now() - started_;
    return result_;
  }

 private:
  enum class Stage : unsigned char { asking, connecting, answering, relaying, refusing, ended };

  // What is posted must not find this client gone.
  void later(std::function<void()> call) {
    service_.loop_.post([alive = std::weak_ptr(alive_), call = std::move(call)] {
      if (alive.lock()) call();
    });
  }

  void on_client(Ready ready) {
    switch (stage_) {
      case Stage::asking:
        if (ready.writable) flush();
        if (stage_ == Stage::asking) ask();
        return;
      case Stage::connecting:
        // Nothing is read yet. A client that has reset needs no connection any more.
        watch_.pause();
        if (const int code = stream_->take_failure(); code != 0)
          fail(Error{ErrorKind::failed, "recv", "", code, {}});
        return;
      case Stage::answering:
      case Stage::refusing:
        flush();
        return;
      case Stage::relaying:
      case Stage::ended:
        return;
    }
  }

  void ask() {
    while (stage_ == Stage::asking) {
      std::byte piece[kPiece];
      const Io io = stream_->read(piece);
      if (io.kind == Io::Kind::again) return;
      if (io.kind == Io::Kind::error)
        return fail(Error{ErrorKind::failed, "recv", "", io.code, stream_->error_text(io.code)});
      if (io.kind == Io::Kind::end)
        return fail(Error{ErrorKind::failed, "recv", "", 0, "the client ended before it said where to"});
      last_activity_ = now();
      const std::string_view bytes(reinterpret_cast<const char*>(piece), io.count);
      const auto fed = request_->receive(bytes);
      output_ += request_->take_output();
      if (!fed) return refuse(fed.error());
      flush();
      if (!fed->done) continue;
      early_ = bytes.substr(fed->consumed);
      return connect(request_->target());
    }
  }

  void connect(const Endpoint& target) {
    stage_ = Stage::connecting;
    watch_.set(Interest::none);
    ConnectPlan plan = service_.plan_.connect;
    plan.endpoint = target;
    connector_ = std::make_unique<Connector>(
        service_.loop_, std::move(plan),
        [this](Result<Connected> result, const std::vector<Attempt>&) { reached(std::move(result)); });
  }

  void reached(Result<Connected> result) {
    if (!result) return target_failed(result.error());
    last_activity_ = now();
    target_local_ = local_address(result->fd.get());
    file_ = std::move(result->file);
    if (!service_.plan_.handshaker) return answer(std::make_unique<SocketStream>(std::move(result->fd)));
    handshake_ =
        service_.plan_.handshaker->start(service_.loop_, std::move(result->fd), result->peer.to_string(),
                                         Deadline(), [this](Result<std::unique_ptr<Stream>> stream) {
                                           if (!stream) return target_failed(stream.error());
                                           answer(std::move(*stream));
                                         });
  }

  void target_failed(const Error& error) {
    if (!request_) return fail(error);
    request_->failed(error);
    output_ += request_->take_output();
    refuse(error);
  }

  // The client is told before the first byte of the target.
  void answer(std::unique_ptr<Stream> target) {
    target_ = std::move(target);
    stage_ = Stage::answering;
    if (request_) {
      request_->connected(target_local_);
      output_ += request_->take_output();
    }
    flush();
  }

  void refuse(const Error& error) {
    result_.error = error;
    stage_ = Stage::refusing;
    flush();
  }

  // Writes what there is for the client, and goes on where that was all.
  void flush() {
    while (!output_.empty()) {
      const Io io = stream_->write(std::as_bytes(std::span(output_)));
      if (io.kind == Io::Kind::error)
        return fail(Error{ErrorKind::failed, "send", "", io.code, stream_->error_text(io.code)});
      if (io.kind != Io::Kind::bytes) break;
      output_.erase(0, io.count);
    }
    if (stream_->has_buffered_output()) (void)stream_->flush();
    const bool waits = !output_.empty() || stream_->has_buffered_output();
    if (stage_ == Stage::asking) return watch_.set(interest(true, waits));
    if (waits) return watch_.set(Interest::write);
    if (stage_ == Stage::answering) relay();
    if (stage_ == Stage::refusing) linger();
  }

  void relay() {
    stage_ = Stage::relaying;
    watch_.cancel();
    idle_.cancel();
    if (!early_.empty()) stream_ = std::make_unique<PrefixStream>(std::move(early_), std::move(stream_));
    RelayRules rules = service_.plan_.rules.of(session_);
    rules.send = rules.receive = rules.half_close = true;
    rules.keep_input = true;
    rules.other_party = true;
    rules.input_name = "the target";
    rules.output_name = "the target";
    relay_ =
        std::make_unique<Relay>(service_.loop_, *stream_, *target_, rules, [this](const RelayResult& result) {
          take(result);
          relay_.reset();
          end();
        });
  }

  void linger() {
    watch_.cancel();
    stream_->finish_writing();
    if (stream_->has_buffered_output()) (void)stream_->flush();
    linger_.emplace(service_.loop_, *stream_, [this](int) { end(); });
  }

  void take(const RelayResult& relayed) {
    const auto earlier = result_.error;
    result_ = relayed;
    if (earlier) result_.error = earlier;
  }

  void fail(const Error& error) {
    if (!result_.error) result_.error = error;
    stream_->abort();
    if (target_) target_->abort();
    end();
  }
  void fail_later(const Error& error) {
    later([this, error] { fail(error); });
  }
  void end() {
    if (stage_ == Stage::ended) return;
    stage_ = Stage::ended;
    watch_.cancel();
    idle_.cancel();
    connector_.reset();
    handshake_.reset();
    // Not from inside serve(), nor under a callback that has more to do here.
    later([this] { service_.ended(session_.id); });
  }

  void arm_idle() {
    const auto& timeout = service_.plan_.rules.idle_timeout;
    if (!timeout) return;
    const Deadline deadline(last_activity_ + *timeout);
    if (deadline.passed())
      return fail(
          Error{ErrorKind::deadline, "idle", "", 0, "no byte either way for " + format_duration(*timeout)});
    idle_ = service_.loop_.timer(deadline, [this] { arm_idle(); });
  }

  ForwardService& service_;
  Session session_;
  Stage stage_ = Stage::connecting;
  std::unique_ptr<ForwardRequest> request_;
  std::string output_;  // for the client
  std::string early_;   // of the client, for the target
  SocketAddress target_local_;
  SocketFile file_;
  RelayResult result_;
  TimePoint started_ = now();
  TimePoint last_activity_ = now();
  // Whatever looks at a stream comes after it, to be destroyed before it.
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Stream> target_;
  Watch watch_;
  Timer idle_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<Relay> relay_;
  std::optional<Linger> linger_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

ForwardService::ForwardService(Loop& loop, ForwardPlan plan) : loop_(loop), plan_(std::move(plan)) {}

ForwardService::~ForwardService() = default;

void ForwardService::serve(const Session& session, std::unique_ptr<Stream> stream) {
  auto client = std::make_unique<Client>(*this, session, std::move(stream));
  Client& added = *client;
  clients_.emplace(session.id, std::move(client));
  added.start();
}

void ForwardService::ended(std::uint64_t id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  const RelayResult result = found->second->result();
  clients_.erase(found);
  closed_(id, result);
}

void ForwardService::end_all() {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, client] : clients_) ids.push_back(id);
  for (const std::uint64_t id : ids) ended(id);
}

}  // namespace pier
