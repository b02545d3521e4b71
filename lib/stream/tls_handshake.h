// The TLS handshake as a step between connecting and a session, for both roles.
#pragma once

#include <memory>
#include <string>

#include "net/step.h"
#include "stream/handshake.h"
#include "stream/tls_context.h"
#include "stream/tls_report.h"

namespace pier {

// The stream it gives ends with the peer's close_notify alone, half-closes by our own, and closes with it.
// Errors are "tls PEER: what is wrong; what to do".
class TlsHandshaker final : public Handshaker {
 public:
  // `server_name`: for a client, whom it wants to reach: the name asked for (SNI, RFC 6066, section 3) and
  // the one that the certificate must be for; an address literal is checked but not asked for (there). Empty
  // only where pins or `insecure` make it needless. `steps` may be nullptr, and must outlive this. `report`,
  // where there is one, hears of each handshake that is complete, before its `done`.
  using Report = std::function<void(const TlsReport&)>;
  TlsHandshaker(std::shared_ptr<const TlsContext> context, std::string server_name, StepSink* steps,
                Report report = {});

  using Handshaker::start;
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> below, std::string peer,
                                                 const Deadline& deadline, Done done) override;

 private:
  std::shared_ptr<const TlsContext> context_;
  std::string server_name_;
  StepSink* steps_;
  Report report_;
};

}  // namespace pier
