#include "stream/tls_describe.h"

#include <fmt/core.h>

#include "stream/tls_certificate.h"

namespace pier {
namespace {

std::string key_of(const X509* certificate) {
  const EVP_PKEY* const key = ::X509_get0_pubkey(certificate);
  if (key == nullptr) return "(unknown)";
  const char* const kind = ::EVP_PKEY_get0_type_name(key);
  return fmt::format("{} {}", kind != nullptr ? kind : "key", ::EVP_PKEY_get_bits(key));
}

TlsCertificate describe(const X509* certificate) {
  return {.subject = subject_of(certificate),
          .issuer = issuer_of(certificate),
          .names = names_of(certificate),
          .not_before = time_text(::X509_get0_notBefore(certificate)),
          .not_after = time_text(::X509_get0_notAfter(certificate)),
          .key = key_of(certificate),
          .fingerprint = TlsFingerprint::of(certificate).to_string()};
}

// A server sees its client's certificate apart from the chain; a client has it at the chain's beginning.
std::vector<TlsCertificate> chain_of(const SSL* ssl) {
  std::vector<TlsCertificate> chain;
  const X509* const own = ::SSL_get0_peer_certificate(ssl);
  if (own != nullptr && ::SSL_is_server(ssl) == 1) chain.push_back(describe(own));
  const STACK_OF(X509)* const sent = ::SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(sent); ++i) chain.push_back(describe(sk_X509_value(sent, i)));
  return chain;
}

std::string_view known_by(const TlsVerdict& verdict, bool has_certificate) {
  if (!has_certificate) return "none";
  if (verdict.failed || verdict.trust->kind == TlsTrust::Kind::nobody_asked) return "no";
  return verdict.trust->kind == TlsTrust::Kind::pins ? "pin" : "chain";
}

std::string alpn_of(const SSL* ssl) {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(ssl, &protocol, &size);
  return {reinterpret_cast<const char*>(protocol), size};
}

std::string_view sentence_end(const TlsReport& report) {
  if (report.verified == "pin") return "known by its pin";
  return report.verified == "chain" ? "verified" : "not verified";
}

}  // namespace

TlsReport describe_tls(SSL* ssl, const TlsVerdict& verdict, std::string peer) {
  TlsReport report{.peer = std::move(peer),
                   .version = ::SSL_get_version(ssl),
                   .cipher = SSL_get_cipher_name(ssl),
                   .alpn = alpn_of(ssl),
                   .verified = {},
                   .why = verdict.failed ? verdict.why : std::string(),
                   .chain = chain_of(ssl)};
  report.verified = known_by(verdict, !report.chain.empty());
  return report;
}

Step tls_step(const TlsReport& report) {
  Step step{.call = "tls", .fd = -1, .text = {}, .result = "ok", .fields = {}};
  const bool shown = !report.chain.empty();
  const std::string subject = shown ? report.chain.front().subject : std::string();
  step.text = fmt::format("{} with {}{}; {}", report.version, report.cipher,
                          report.alpn.empty() ? "" : " for " + report.alpn, report.peer);
  step.text += shown ? fmt::format(" is {}, {}", subject, sentence_end(report)) : " has shown no certificate";
  step.fields = {{"peer", report.peer},        {"version", report.version},
                 {"cipher", report.cipher},    {"alpn", report.alpn},
                 {"subject", subject},         {"fingerprint", shown ? report.chain.front().fingerprint : ""},
                 {"verified", report.verified}};
  return step;
}

}  // namespace pier
