// Clients carried on to another endpoint: --to, --serve-http-proxy and --serve-socks.
#pragma once

#include <optional>
#include <string>

#include "cli/flags.h"
#include "net/endpoint.h"
#include "relay/forward.h"
#include "stream/tls_context.h"

namespace pier::server {

struct Run;

namespace flag {

inline constexpr Flag kTo{.name = "to",
                          .value = "ENDPOINT",
                          .kind = ValueKind::text,
                          .group = "Carrying on",
                          .brief = "carry each client on to this endpoint: a relay"};
inline constexpr Flag kServeHttpProxy{.name = "serve-http-proxy",
                                      .group = "Carrying on",
                                      .brief = "an HTTP proxy that knows CONNECT (implies -k)"};
inline constexpr Flag kServeSocks{.name = "serve-socks",
                                  .group = "Carrying on",
                                  .brief = "a SOCKS proxy: 4, 4a and 5, CONNECT (implies -k)"};
inline constexpr Flag kProxyAuthFile{.name = "proxy-auth-file",
                                     .value = "FILE",
                                     .kind = ValueKind::file,
                                     .group = "Carrying on",
                                     .brief = "the proxy asks for one of its lines user:password"};
inline constexpr Flag kAllowTarget{.name = "allow-target",
                                   .value = "SET|@FILE",
                                   .kind = ValueKind::text,
                                   .group = "Carrying on",
                                   .brief = "the proxy goes only there (default: as --allow)",
                                   .repeats = true};
inline constexpr Flag kDenyTarget{.name = "deny-target",
                                  .value = "SET|@FILE",
                                  .kind = ValueKind::text,
                                  .group = "Carrying on",
                                  .brief = "the proxy does not go there (default: as --deny)",
                                  .repeats = true};

}  // namespace flag

// What the options say, nothing being opened or looked up.
struct ForwardOptions {
  std::optional<Endpoint> to;  // nothing: each client is asked
  bool socks = false;          // by SOCKS, otherwise by HTTP
  std::optional<TlsClientPlan> tls;
  std::string server_name;

  [[nodiscard]] bool is_proxy() const { return !to; }
};

// nullopt where no option asks for it. `listening`: what clients come by. Usage errors.
[[nodiscard]] Result<std::optional<ForwardOptions>> forward_options(const Parsed& args, Transport listening);

// Reads the files and lists, and looks up their names. Errors: local, failed.
[[nodiscard]] Result<ForwardPlan> prepare_forward(const Run& run, const ForwardOptions& options);

// A proxy that anybody could use is opened by --public only: ErrorKind::usage for an address that is not this
// host's loopback.
[[nodiscard]] Result<void> check_proxy_reach(const Parsed& args, const SocketAddress& address);

}  // namespace pier::server
