#include "stream/tls_verify.h"

#include <fmt/core.h>
#include <openssl/x509_vfy.h>

#include <algorithm>

#include "base/error.h"
#include "stream/tls_certificate.h"

namespace pier {
namespace {

std::string joined(const std::vector<std::string>& words) {
  // A certificate may be for hundreds of names; an error is one line.
  constexpr std::size_t kMost = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), kMost); ++i) text += (i == 0 ? "" : ", ") + words[i];
  if (words.size() > kMost) text += fmt::format(" and {} more", words.size() - kMost);
  return text;
}

std::string wrong_name(const X509* leaf, const std::string& wanted) {
  const std::vector<std::string> names = names_of(leaf);
  return fmt::format("the certificate is for {}, not for {}",
                     names.empty() ? "no name (it has no subject alternative name)" : joined(names),
                     quoted(wanted));
}

// What is wrong, in place of OpenSSL's own words where more can be said.
std::string reason_of(int code, const X509* leaf, const X509* current, const std::string& wanted) {
  switch (code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "self-signed certificate";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "self-signed certificate in its chain, " + subject_of(current);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "its issuer is not known here: " + issuer_of(current);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return wrong_name(leaf, wanted);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate expired on " + time_text(::X509_get0_notAfter(current));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is not valid before " + time_text(::X509_get0_notBefore(current));
    default:
      return ::X509_verify_cert_error_string(code);
  }
}

// What can be done about it, by somebody who trusts the peer all the same.
std::string remedy(int code, const TlsFingerprint& peer, bool server) {
  const bool issuer =
      code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT || code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
      code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
      code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
  const bool name = code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH;
  if (server) return issuer ? "; --client-ca FILE says whose certificates are accepted" : "";
  std::string text = "; --pin " + peer.to_string() + " accepts exactly this one";
  if (issuer) text += ", --ca FILE trusts its issuer";
  if (name) text += ", --server-name NAME asks for another";
  return text;
}

bool judge_by_pins(TlsVerdict& verdict) {
  const std::vector<TlsFingerprint>& pins = verdict.trust->pins;
  if (std::ranges::find(pins, *verdict.peer) != pins.end()) return true;
  verdict.why = fmt::format("the certificate is another than {}: its fingerprint is {}",
                            pins.size() == 1 ? "--pin says" : "those of --pin", verdict.peer->to_string());
  return false;
}

bool judge_by_store(TlsVerdict& verdict, X509_STORE_CTX* chain, const X509* leaf) {
  if (::X509_verify_cert(chain) == 1) return true;
  const int code = ::X509_STORE_CTX_get_error(chain);
  const X509* const current = ::X509_STORE_CTX_get_current_cert(chain);
  verdict.why = "certificate verify failed: " +
                reason_of(code, leaf, current != nullptr ? current : leaf, verdict.name) +
                remedy(code, *verdict.peer, verdict.trust->server);
  return false;
}

int judge(X509_STORE_CTX* chain, void* /*unused*/) {
  const auto* const ssl =
      static_cast<const SSL*>(::X509_STORE_CTX_get_ex_data(chain, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsVerdict& verdict = *static_cast<TlsVerdict*>(SSL_get_app_data(ssl));
  const X509* const leaf = ::X509_STORE_CTX_get0_cert(chain);
  verdict.peer = TlsFingerprint::of(leaf);
  bool good = true;
  if (verdict.trust->kind == TlsTrust::Kind::pins) good = judge_by_pins(verdict);
  if (verdict.trust->kind == TlsTrust::Kind::store) good = judge_by_store(verdict, chain, leaf);
  verdict.failed = !good;
  const int code = ::X509_STORE_CTX_get_error(chain);
  if (good)
    ::X509_STORE_CTX_set_error(chain, X509_V_OK);
  else if (code == X509_V_OK)
    ::X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
  return good || verdict.trust->report_only ? 1 : 0;
}

}  // namespace

void judge_peers(SSL_CTX* context) {
  ::SSL_CTX_set_cert_verify_callback(context, judge, nullptr);
}

void set_verdict(SSL* ssl, TlsVerdict* verdict) {
  SSL_set_app_data(ssl, verdict);
}

}  // namespace pier
