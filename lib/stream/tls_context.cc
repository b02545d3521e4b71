#include "stream/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <new>

#include "stream/tls_context_state.h"
#include "stream/tls_error.h"
#include "stream/tls_library.h"

namespace pier {
namespace {

TlsPtr<SSL_CTX> make_ssl_context(bool server) {
  TlsPtr<SSL_CTX> made(::SSL_CTX_new(server ? ::TLS_server_method() : ::TLS_client_method()));
  if (!made) throw std::bad_alloc();
  SSL_CTX* const context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A relay has no use for a second handshake, and an attacker has (CVE-2009-3555, CVE-2011-1473).
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  // Nor for resuming: a client that goes away would leave tickets unread, and its close become a reset.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context, 0);
  judge_peers(context);
  return made;
}

Result<void> use_identity(TlsContext::State& state, const TlsIdentity& identity, const std::string& path) {
  SSL_CTX* const context = state.ssl.get();
  bool good = ::SSL_CTX_use_certificate(context, identity.chain.front().get()) == 1;
  for (std::size_t i = 1; i < identity.chain.size() && good; ++i)
    good = SSL_CTX_add1_chain_cert(context, identity.chain[i].get()) == 1;
  good = good && ::SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1;
  state.own = TlsFingerprint::of(identity.chain.front().get());
  if (good) return {};
  return fail(ErrorKind::local, "--cert", path, "OpenSSL does not take it: " + take_tls_error());
}

Result<void> load_identity(TlsContext::State& state, const TlsFiles& files) {
  const auto identity = read_identity(files.certificate, files.key);
  if (!identity) return std::unexpected(identity.error());
  return use_identity(state, *identity, files.certificate);
}

// What is in the file is what is trusted, also where it is no root.
Result<void> trust_file(SSL_CTX* context, const std::string& option, const std::string& path, bool tell) {
  const auto certificates = read_certificates(option, path);
  if (!certificates) return std::unexpected(certificates.error());
  X509_STORE* const store = ::SSL_CTX_get_cert_store(context);
  for (const TlsPtr<X509>& one : *certificates) {
    ::X509_STORE_add_cert(store, one.get());
    if (tell) ::SSL_CTX_add_client_CA(context, one.get());
  }
  ::X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  ::ERR_clear_error();
  return {};
}

Result<void> set_alpn(TlsContext::State& state, const std::vector<std::string>& protocols) {
  for (const std::string& one : protocols) {
    if (one.empty() || one.size() > 255)
      return usage_error("--alpn", one, "a protocol's name has 1 to 255 bytes: h2,http/1.1");
    state.alpn += static_cast<char>(one.size());
    state.alpn += one;
  }
  if (state.alpn.size() > 65000)
    return usage_error("--alpn", protocols.front() + ",…", "too many protocols for one handshake");
  return {};
}

}  // namespace

TlsContext::TlsContext() : state_(std::make_unique<State>()) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientPlan& plan) {
  if (const auto loaded = load_tls_library(); !loaded) return std::unexpected(loaded.error());
  const std::shared_ptr<TlsContext> made(new TlsContext());
  State& state = *made->state_;
  state.ssl = make_ssl_context(false);
  SSL_CTX* const context = state.ssl.get();
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (plan.insecure) state.trust.kind = TlsTrust::Kind::nobody_asked;
  if (!plan.pins.empty()) state.trust.kind = TlsTrust::Kind::pins;
  state.trust.pins = plan.pins;
  state.trust.report_only = plan.report_only;
  if (plan.ca) {
    if (const auto trusted = trust_file(context, "--ca", *plan.ca, false); !trusted)
      return std::unexpected(trusted.error());
  } else if (state.trust.kind == TlsTrust::Kind::store) {
    ::SSL_CTX_set_default_verify_paths(context);
    ::ERR_clear_error();
  }
  if (plan.own)
    if (const auto loaded = load_identity(state, *plan.own); !loaded) return std::unexpected(loaded.error());
  if (const auto set = set_alpn(state, plan.alpn); !set) return std::unexpected(set.error());
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerPlan& plan) {
  if (const auto loaded = load_tls_library(); !loaded) return std::unexpected(loaded.error());
  const std::shared_ptr<TlsContext> made(new TlsContext());
  State& state = *made->state_;
  state.ssl = make_ssl_context(true);
  state.trust.server = true;
  Result<void> identity;
  if (plan.own) {
    identity = load_identity(state, *plan.own);
  } else {
    const auto own = make_identity();
    if (!own) return std::unexpected(own.error());
    identity = use_identity(state, *own, "");
  }
  if (!identity) return std::unexpected(identity.error());
  if (plan.client_ca) {
    if (const auto trusted = trust_file(state.ssl.get(), "--client-ca", *plan.client_ca, true); !trusted)
      return std::unexpected(trusted.error());
    ::SSL_CTX_set_verify(state.ssl.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return made;
}

bool TlsContext::is_server() const {
  return state_->trust.server;
}

std::optional<TlsFingerprint> TlsContext::own_fingerprint() const {
  return state_->own;
}

}  // namespace pier
