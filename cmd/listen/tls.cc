#include "cmd/listen/run.h"
#include "stream/tls_handshake.h"

namespace pier::server {

Result<void> prepare_tls(Run& run, const Plan& plan) {
  if (!plan.tls) return {};
  const auto context = TlsContext::server(*plan.tls);
  if (!context) return std::unexpected(context.error());
  const std::string fingerprint = (*context)->own_fingerprint()->to_string();
  if (!plan.tls->own)
    run.app.note("tls: a certificate made for this run; its fingerprint, for --pin: " + fingerprint);
  if (run.news.events() != nullptr)
    run.news.events()->write(JsonObject("certificate")
                                 .text("fingerprint", fingerprint)
                                 .boolean("made_for_this_run", !plan.tls->own));
  run.tls_steps = std::make_unique<TlsSteps>(run.news.steps(), run.news.events());
  run.handshaker = std::make_unique<TlsHandshaker>(*context, "", run.tls_steps.get());
  return {};
}

}  // namespace pier::server
