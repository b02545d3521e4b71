#include "cmd/connect/tls.h"

#include "cmd/tls_options.h"
#include "stream/tls_handshake.h"

namespace pier::client {
namespace {

// A handshaker with what must outlive it.
struct Owner {
  Owner(std::shared_ptr<TlsSteps> sink, TlsHandshaker made)
      : steps(std::move(sink)), handshaker(std::move(made)) {}
  std::shared_ptr<TlsSteps> steps;
  TlsHandshaker handshaker;
};

}  // namespace

Result<void> prepare_tls(const Run& run, Plan& plan, TlsReport& report) {
  if (!plan.tls) return {};
  auto context = TlsContext::client(*plan.tls);
  if (!context) return std::unexpected(context.error());
  const auto steps = std::make_shared<TlsSteps>(run.news.steps(), run.news.events());
  for (std::size_t i = 0; i < plan.dials.size(); ++i) {
    if (!plan.server_names[i]) continue;
    const auto owner =
        std::make_shared<Owner>(steps, TlsHandshaker(*context, *plan.server_names[i], steps.get(),
                                                     [&report](const TlsReport& shown) { report = shown; }));
    plan.dials[i].handshaker = std::shared_ptr<Handshaker>(owner, &owner->handshaker);
  }
  if (plan.tls->insecure) run.app.note("tls: --insecure: whoever answers is believed; nothing is verified");
  return {};
}

}  // namespace pier::client
