#include "cmd/connect/tls.h"

#include "cmd/connect/run.h"
#include "stream/tls_handshake.h"

namespace pier::client {
namespace {

// As the user knows it: "localhost:443" where only a port was given.
std::string name_of(const Endpoint& endpoint) {
  const bool bare = endpoint.transport == Transport::tcp && endpoint.host.empty();
  return bare ? "localhost:" + std::to_string(endpoint.port) : endpoint.to_string();
}

}  // namespace

Tls::Tls(Run& run) : run_(run), steps_(run.news.steps(), run.news.events()) {}

Result<std::unique_ptr<Tls>> Tls::prepare(Run& run, Plan& plan, bool keep) {
  std::unique_ptr<Tls> made(new Tls(run));
  if (!plan.tls) return made;
  auto context = TlsContext::client(*plan.tls);
  if (!context) return std::unexpected(context.error());
  made->context_ = std::move(*context);
  for (std::size_t i = 0; i < plan.dials.size(); ++i)
    if (plan.server_names[i]) made->add(plan.dials[i], *plan.server_names[i], keep);
  if (plan.tls->insecure) run.app.note("tls: --insecure: whoever answers is believed; nothing is verified");
  return made;
}

void Tls::add(DialPlan& dial, const std::string& server_name, bool keep) {
  handshakers_.push_back(std::make_unique<TlsHandshaker>(context_, server_name, &steps_));
  dial.then = [this, keep, &handshaker = *handshakers_.back(), peer = name_of(dial.connect.endpoint)](
                  Loop& loop, Connected connected, const Deadline& deadline,
                  std::function<void(Result<void>)> done) -> std::shared_ptr<void> {
    return handshaker.start(loop, std::move(connected.fd), peer, deadline,
                            [this, keep, done = std::move(done)](Result<std::unique_ptr<Stream>> result) {
                              if (!result) return done(std::unexpected(result.error()));
                              if (keep) run_.stream = std::move(*result);
                              done({});
                            });
  };
}

}  // namespace pier::client
