#include "cmd/listen/run.h"
#include "stream/tls_digest.h"

namespace pier::server {

void prepare_handover(Run& run, const Plan& plan) {
  if (!plan.handover) return;
  auto handover = std::make_unique<HandoverServer>(HandoverServer::Plan{
      .token = [] { return random_digits(kHandoverToken); },
      // Of one client there is one file; of many, nobody could say when all is in its place.
      .streams = !plan.keep_open && !plan.forward && !run.program,
      .steps = run.news.steps()});
  run.handover = handover.get();
  run.handshaker = std::move(handover);
}

}  // namespace pier::server
