#include "cmd/tls_options.h"

#include <span>

#include "net/host_name.h"
#include "out/explain.h"

namespace pier {
namespace {

// Options that say something about TLS.
constexpr std::string_view kClientOptions[] = {"cert", "key", "ca", "pin", "server-name", "alpn", "insecure"};
constexpr std::string_view kServerOptions[] = {"cert", "key", "client-ca"};

Result<void> check_needless(const Parsed& args, std::span<const std::string_view> options) {
  for (const std::string_view name : options)
    if (args.has(name))
      return fail(ErrorKind::usage, "--" + std::string(name), "",
                  "it is for TLS, which nothing here asks for: --tls, or a scheme such as tls://");
  return {};
}

Result<std::optional<TlsFiles>> own_files(const Parsed& args) {
  const auto certificate = args.text("cert");
  const auto key = args.text("key");
  if (key && !certificate)
    return usage_error("--key", *key, "there is no certificate to go with it: --cert FILE");
  if (!certificate) return std::nullopt;
  return TlsFiles{*certificate, key.value_or(*certificate)};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    items.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

Result<std::vector<std::string>> protocols_of(const Parsed& args) {
  const auto list = args.text("alpn");
  if (!list) return std::vector<std::string>();
  std::vector<std::string> protocols = split(*list);
  for (const std::string& one : protocols)
    if (one.empty() || one.size() > 255)
      return usage_error("--alpn", *list,
                         "an item without a name, or with one of more than 255 bytes; h2,http/1.1 fits");
  return protocols;
}

}  // namespace

Result<bool> wants_tls(const Parsed& args, const Endpoint& endpoint) {
  if (endpoint.tls && args.has("starttls"))
    return usage_error("--starttls", endpoint.to_string(), "its scheme asks for TLS from the first byte");
  const bool asked = args.has("tls") || args.has("starttls") || args.has("show-cert");
  if (!endpoint.tls && !asked) return false;
  if (is_datagram(endpoint.transport) || args.has("udp"))
    return usage_error("--tls", endpoint.to_string(), "TLS is for streams; DTLS is not spoken");
  return true;
}

Result<TlsClientPlan> tls_trust(const Parsed& args) {
  TlsClientPlan plan;
  plan.insecure = args.has("insecure");
  for (const std::string& text : args.texts("pin")) {
    const auto pin = TlsFingerprint::parse(text);
    if (!pin) return std::unexpected(pin.error());
    plan.pins.push_back(*pin);
  }
  plan.ca = args.text("ca");
  return plan;
}

Result<std::optional<TlsClientPlan>> tls_client_plan(const Parsed& args, bool tls) {
  if (!tls) {
    if (const auto fits = check_needless(args, kClientOptions); !fits) return std::unexpected(fits.error());
    return std::nullopt;
  }
  auto trust = tls_trust(args);
  if (!trust) return std::unexpected(trust.error());
  TlsClientPlan plan = std::move(*trust);
  plan.report_only = args.has("show-cert");
  auto files = own_files(args);
  if (!files) return std::unexpected(files.error());
  plan.own = std::move(*files);
  auto protocols = protocols_of(args);
  if (!protocols) return std::unexpected(protocols.error());
  plan.alpn = std::move(*protocols);
  return plan;
}

Result<std::optional<TlsServerPlan>> tls_server_plan(const Parsed& args, bool tls) {
  if (!tls) {
    if (const auto fits = check_needless(args, kServerOptions); !fits) return std::unexpected(fits.error());
    return std::nullopt;
  }
  TlsServerPlan plan;
  auto files = own_files(args);
  if (!files) return std::unexpected(files.error());
  plan.own = std::move(*files);
  plan.client_ca = args.text("client-ca");
  return plan;
}

Result<std::string> tls_server_name(const Parsed& args, const Endpoint& endpoint) {
  if (const auto name = args.text("server-name")) {
    if (!check_host(*name)) return usage_error("--server-name", *name, "neither a host name nor an address");
    return *name;
  }
  if (endpoint.transport == Transport::tcp) return endpoint.host.empty() ? "localhost" : endpoint.host;
  if (args.has("pin") || args.has("insecure")) return std::string();
  return usage_error(
      "--tls", endpoint.to_string(),
      "there is no host name to verify the server by: --server-name NAME or --pin FINGERPRINT");
}

void TlsSteps::step(const Step& step) {
  if (explain_ != nullptr)
    explain_->step(step);
  else if (events_ != nullptr)
    events_->write(step_record(step));
}

std::vector<std::string> tls_libraries() {
  const auto version = tls_library_version();
  return {"OpenSSL " + (version ? *version : "not found: no TLS")};
}

}  // namespace pier
