// The TLS options of listen and connect: the flags, and the plans that follow from them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cli/flags.h"
#include "net/endpoint.h"
#include "net/step.h"
#include "out/event_log.h"
#include "stream/tls_context.h"

namespace pier {

namespace flag {

inline constexpr Flag kTls{
    .name = "tls", .group = "TLS", .brief = "TLS 1.2 or 1.3 (also: tls://, https:// and other TLS schemes)"};
inline constexpr Flag kCert{.name = "cert",
                            .value = "FILE",
                            .kind = ValueKind::file,
                            .group = "TLS",
                            .brief = "our certificate in PEM form, its chain after it"};
inline constexpr Flag kKey{.name = "key",
                           .value = "FILE",
                           .kind = ValueKind::file,
                           .group = "TLS",
                           .brief = "the certificate's key, not encrypted (default: in the same file)"};
inline constexpr Flag kClientCa{.name = "client-ca",
                                .value = "FILE",
                                .kind = ValueKind::file,
                                .group = "TLS",
                                .brief = "clients must have a certificate from an issuer in FILE"};
inline constexpr Flag kCa{.name = "ca",
                          .value = "FILE",
                          .kind = ValueKind::file,
                          .group = "TLS",
                          .brief = "trust the issuers in FILE, not the system's"};
inline constexpr Flag kPin{.name = "pin",
                           .value = "FINGERPRINT",
                           .kind = ValueKind::text,
                           .group = "TLS",
                           .brief = "accept exactly the certificate of this SHA-256 (repeatable)",
                           .repeats = true};
inline constexpr Flag kServerName{.name = "server-name",
                                  .value = "NAME",
                                  .kind = ValueKind::host,
                                  .group = "TLS",
                                  .brief = "the name to ask for and to check (default: the host)"};
inline constexpr Flag kAlpn{.name = "alpn",
                            .value = "LIST",
                            .kind = ValueKind::text,
                            .group = "TLS",
                            .brief = "protocols to offer, as h2,http/1.1"};
inline constexpr Flag kInsecure{
    .name = "insecure", .group = "TLS", .brief = "do not verify the server; says so on stderr"};

inline constexpr Flag kShowCert{
    .name = "show-cert",
    .group = "TLS",
    .brief = "only shake hands, and tell the server's certificates; implies --tls"};

}  // namespace flag

// Whether an endpoint is spoken to over TLS: by its scheme, --tls or --show-cert. A usage error where that
// makes no sense, which is over datagrams.
[[nodiscard]] Result<bool> wants_tls(const Parsed& args, const Endpoint& endpoint);

// What the options say, nothing being opened. Usage errors: for an option of TLS where there is no TLS, and
// text that does not fit. `tls`: whether any endpoint wants it; nullopt when none does.
[[nodiscard]] Result<std::optional<TlsClientPlan>> tls_client_plan(const Parsed& args, bool tls);
[[nodiscard]] Result<std::optional<TlsServerPlan>> tls_server_plan(const Parsed& args, bool tls);
// Only how the server is known: --insecure, --pin, --ca.
[[nodiscard]] Result<TlsClientPlan> tls_trust(const Parsed& args);

// The name a server is asked for and checked by. A usage error where the endpoint has none and it is needed.
[[nodiscard]] Result<std::string> tls_server_name(const Parsed& args, const Endpoint& endpoint);

// The step of each handshake: to `explain` where there is --explain, and otherwise to the record alone.
class TlsSteps final : public StepSink {
 public:
  // Either may be nullptr; both must outlive it.
  TlsSteps(StepSink* explain, EventLog* events) : explain_(explain), events_(events) {}
  void step(const Step& step) override;

 private:
  StepSink* explain_;
  EventLog* events_;
};

// For --version: "OpenSSL 3.0.17", as found now.
[[nodiscard]] std::vector<std::string> tls_libraries();

}  // namespace pier
