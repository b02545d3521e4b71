#include "stream/tls_handshake.h"

#include <openssl/x509v3.h>

#include <new>

#include "base/number.h"
#include "net/address.h"
#include "stream/tls_context_state.h"
#include "stream/tls_describe.h"
#include "stream/tls_stream.h"

namespace pier {
namespace {

// The name without what DNS and the URL grammar add to it.
std::string bare_name(std::string name) {
  if (const std::size_t zone = name.find('%'); zone != std::string::npos) name.resize(zone);
  if (name.ends_with('.')) name.pop_back();
  return name;
}

void ask_for(SSL* ssl, const std::string& name) {
  const bool address = IpAddress::parse(name).has_value();
  if (!address) SSL_set_tlsext_host_name(ssl, name.c_str());
  X509_VERIFY_PARAM* const rules = ::SSL_get0_param(ssl);
  ::X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (address)
    ::X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str());
  else
    ::X509_VERIFY_PARAM_set1_host(rules, name.c_str(), 0);
}

TlsPtr<SSL> make_ssl(const TlsContext::State& state, const std::string& name) {
  TlsPtr<SSL> ssl(::SSL_new(state.ssl.get()));
  if (!ssl) throw std::bad_alloc();
  if (state.trust.server) {
    ::SSL_set_accept_state(ssl.get());
    return ssl;
  }
  ::SSL_set_connect_state(ssl.get());
  if (!name.empty()) ask_for(ssl.get(), name);
  if (!state.alpn.empty())
    ::SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(state.alpn.data()),
                          static_cast<unsigned>(state.alpn.size()));
  return ssl;
}

class TlsHandshake final : public Handshake {
 public:
  TlsHandshake(Loop& loop, std::shared_ptr<const TlsContext> context, const std::string& name,
               std::unique_ptr<Stream> below, std::string peer, const Deadline& deadline, StepSink* steps,
               TlsHandshaker::Report report, Handshaker::Done done)
      : context_(std::move(context)),
        stream_(std::make_unique<TlsStream>(make_ssl(context_->state(), name),
                                            TlsVerdict{.trust = &context_->state().trust, .name = name},
                                            std::move(below))),
        peer_(std::move(peer)),
        steps_(steps),
        report_(std::move(report)),
        done_(std::move(done)) {
    // Writable at once, so that a client's first word is said from the loop.
    auto watch = loop.watch(stream_->read_fd(), context_->is_server() ? Interest::read : Interest::both,
                            [this](Ready) { go_on(); });
    if (watch)
      watch_ = std::move(*watch);
    else
      timer_ = loop.timer(Deadline(now()), [this, error = watch.error()] { end(std::unexpected(error)); });
    if (!watch || !deadline.at()) return;
    const Duration given = *deadline.at() - now();
    timer_ = loop.timer(deadline, [this, given] {
      end(std::unexpected(
          error(ErrorKind::deadline, "the handshake took longer than " + format_duration(given))));
    });
  }

 private:
  void go_on() {
    const Io io = stream_->handshake();
    if (io.kind == Io::Kind::again) return watch_.set(interest(true, stream_->has_buffered_output()));
    if (io.kind != Io::Kind::bytes) {
      const TlsVerdict& verdict = stream_->verdict();
      return end(std::unexpected(
          error(ErrorKind::failed, verdict.failed ? verdict.why : stream_->error_text(io.code), io.code)));
    }
    tell();
    end(std::move(stream_));
  }

  void tell() const {
    if (steps_ == nullptr && !report_) return;
    const TlsReport report = describe_tls(stream_->ssl(), stream_->verdict(), peer_);
    if (steps_ != nullptr) {
      Step step = tls_step(report);
      step.fd = stream_->read_fd();
      steps_->step(step);
    }
    if (report_) report_(report);
  }

  [[nodiscard]] Error error(ErrorKind kind, std::string why, int code = 0) const {
    return Error{kind, "tls", peer_, code, std::move(why)};
  }

  // The last thing done: the callback may destroy this handshake.
  void end(Result<std::unique_ptr<Stream>> result) {
    watch_.cancel();
    timer_.cancel();
    if (!result && steps_ != nullptr)
      steps_->step({.call = "tls",
                    .fd = stream_->read_fd(),
                    .text = peer_,
                    .result = result.error().why,
                    .fields = {{"peer", peer_}}});
    const auto done = std::move(done_);
    done(std::move(result));
  }

  std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<TlsStream> stream_;
  std::string peer_;
  StepSink* steps_;
  TlsHandshaker::Report report_;
  Handshaker::Done done_;
  Watch watch_;
  Timer timer_;
};

}  // namespace

TlsHandshaker::TlsHandshaker(std::shared_ptr<const TlsContext> context, std::string server_name,
                             StepSink* steps, Report report)
    : context_(std::move(context)),
      server_name_(bare_name(std::move(server_name))),
      steps_(steps),
      report_(std::move(report)) {}

std::unique_ptr<Handshake> TlsHandshaker::start(Loop& loop, std::unique_ptr<Stream> below, std::string peer,
                                                const Deadline& deadline, Done done) {
  return std::make_unique<TlsHandshake>(loop, context_, server_name_, std::move(below), std::move(peer),
                                        deadline, steps_, report_, std::move(done));
}

}  // namespace pier
