#include "cmd/listen/forward.h"

#include "base/proc_file.h"
#include "cmd/listen/run.h"
#include "event/resolve.h"
#include "proxy/credentials.h"
#include "proxy/http_server.h"
#include "proxy/socks_server.h"
#include "stream/tls_handshake.h"

namespace pier::server {
namespace {

constexpr std::size_t kMostAuthFile = std::size_t{1} << 20;

// What a proxy protocol asks, as the relay wants to know it.
class ProxyRequest final : public ForwardRequest {
 public:
  explicit ProxyRequest(std::unique_ptr<ProxyServer> server) : server_(std::move(server)) {}

  Result<Fed> receive(std::string_view bytes) override {
    const auto fed = server_->receive(bytes);
    if (!fed) return std::unexpected(fed.error());
    return Fed{fed->consumed, fed->done};
  }
  std::string take_output() override { return server_->take_output(); }
  Endpoint target() const override {
    return {.transport = Transport::tcp, .host = server_->target().host, .port = server_->target().port};
  }
  void connected(const SocketAddress& local) override { server_->connected(local); }
  void failed(const Error& error) override { server_->refuse(refusal_of(error)); }

 private:
  std::unique_ptr<ProxyServer> server_;
};

// A handshaker with what must outlive it.
struct Owner {
  std::shared_ptr<TlsSteps> steps;
  TlsHandshaker handshaker;
};

Result<void> check_others(const Parsed& args, std::string_view option) {
  for (const std::string_view flag :
       {"send-only", "recv-only", "no-half-close", "keep-stdin", "crlf", "send", "recv", "progress"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), "--" + std::string(option),
                         "what is carried on is left as it is, and stdin and stdout have no part in it");
  return {};
}

Result<CheckCredentials> read_credentials(const Parsed& args) {
  const auto path = args.text("proxy-auth-file");
  if (!path) return CheckCredentials();
  auto text = read_file(*path, kMostAuthFile);
  if (!text) return std::unexpected(text.error());
  auto known = parse_credentials(*text, *path);
  if (!known) return std::unexpected(known.error());
  return check_against(std::move(*known));
}

// Where a proxy may go: by lists of its own, or by those that say who may come.
Result<HostRules> target_rules(const Run& run) {
  const Parsed& args = run.app.args;
  if (!args.has("allow-target") && !args.has("deny-target")) return run.hosts;
  return read_host_rules(run.app, "allow-target", "deny-target");
}

}  // namespace

Result<std::optional<ForwardOptions>> forward_options(const Parsed& args, Transport listening) {
  const auto to = args.text("to");
  const bool socks = args.has("serve-socks");
  const bool proxy = socks || args.has("serve-http-proxy");
  for (const std::string_view flag : {"proxy-auth-file", "allow-target", "deny-target"})
    if (args.has(flag) && !proxy)
      return usage_error("--" + std::string(flag), *args.text(flag),
                         "it is for a proxy: --serve-http-proxy or --serve-socks");
  const bool trust = args.has("ca") || args.has("pin") || args.has("insecure") || args.has("server-name");
  ForwardOptions options;
  options.socks = socks;
  if (proxy) {
    const std::string_view option = socks ? "serve-socks" : "serve-http-proxy";
    if (const auto fits = check_others(args, option); !fits) return std::unexpected(fits.error());
  }
  if (to) {
    if (const auto fits = check_others(args, "to"); !fits) return std::unexpected(fits.error());
    const bool datagrams = is_datagram(listening);
    auto endpoint = parse_endpoint(
        std::vector<std::string>{*to},
        {.transport = datagrams ? Transport::udp : Transport::tcp, .services = registry_names()});
    if (!endpoint) return std::unexpected(endpoint.error());
    if (datagrams && (!is_datagram(endpoint->transport) || endpoint->tls))
      return usage_error("--to", *to,
                         "datagrams are carried on to datagrams: udp://HOST:PORT or unix-dgram:PATH");
    if (!datagrams && is_datagram(endpoint->transport))
      return usage_error("--to", *to, "a connection is carried on to a connection, not to datagrams");
    if (endpoint->tls) {
      auto name = tls_server_name(args, *endpoint);
      if (!name) return std::unexpected(name.error());
      options.server_name = std::move(*name);
      auto plan = tls_trust(args);
      if (!plan) return std::unexpected(plan.error());
      options.tls = std::move(*plan);
    }
    options.to = std::move(*endpoint);
  }
  if (trust && !options.tls)
    return fail(ErrorKind::usage, "--ca, --pin, --insecure, --server-name", "",
                "they are for the server of --to, where that is spoken to over TLS: --to tls://HOST:PORT");
  if (!to && !proxy) return std::nullopt;
  return options;
}

Result<ForwardPlan> prepare_forward(const Run& run, const ForwardOptions& options) {
  ForwardPlan plan;
  plan.connect.steps = run.news.steps();
  if (options.is_proxy()) {
    auto rules = target_rules(run);
    if (!rules) return std::unexpected(rules.error());
    plan.connect.hosts = std::move(*rules);
    auto check = read_credentials(run.app.args);
    if (!check) return std::unexpected(check.error());
    plan.request = [socks = options.socks, check = std::move(*check)]() -> std::unique_ptr<ForwardRequest> {
      if (socks) return std::make_unique<ProxyRequest>(std::make_unique<SocksServer>(check));
      return std::make_unique<ProxyRequest>(std::make_unique<HttpProxyServer>(check));
    };
    return plan;
  }
  plan.connect.endpoint = *options.to;
  if (!options.tls) return plan;
  auto context = TlsContext::client(*options.tls);
  if (!context) return std::unexpected(context.error());
  const auto steps = std::make_shared<TlsSteps>(run.news.steps(), run.news.events());
  const auto owner =
      std::make_shared<Owner>(Owner{steps, TlsHandshaker(*context, options.server_name, steps.get())});
  plan.handshaker = std::shared_ptr<Handshaker>(owner, &owner->handshaker);
  if (options.tls->insecure)
    run.app.note("tls: --insecure: whoever answers is believed; nothing is verified");
  return plan;
}

Result<void> check_proxy_reach(const Parsed& args, const SocketAddress& address) {
  if (args.has("public") || !address.is_ip() || address.ip().is_loopback()) return {};
  return usage_error(args.has("serve-socks") ? "--serve-socks" : "--serve-http-proxy", address.to_string(),
                     "others could use this proxy there; --public says that they may");
}

}  // namespace pier::server
