#include "stream/tls_error.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/error.h"

namespace pier {
namespace {

// What an alert of the peer most likely means to us, and what can be done. Numbers by RFC 8446, section 6.
struct AlertHint {
  int alert;
  std::string_view to_client;
  std::string_view to_server;
};
constexpr std::string_view kUntrusted = "; it does not trust our certificate";
constexpr AlertHint kAlertHints[] = {
    {40, "; no cipher in common, or it wants a certificate (--cert)", "; no cipher in common"},
    {42, "; it does not accept our certificate", "; it does not accept our certificate"},
    {46, "; it does not accept our certificate", "; it does not accept our certificate"},
    {48, kUntrusted, kUntrusted},
    {70, "; it speaks none of TLS 1.2 and 1.3", "; it speaks none of TLS 1.2 and 1.3"},
    {112, "; it has no such name: --server-name NAME asks for another", ""},
    {116, "; it wants a certificate: --cert FILE", ""},
    {120, "; it speaks none of the protocols of --alpn", ""},
};

// TLS records begin with their content type (RFC 8446, section 5.1): 20 to 24.
bool looks_like_tls(std::string_view began) {
  return began.empty() || (began.front() >= 20 && began.front() <= 24);
}

// What the other side sent in place of TLS: its first line, as far as it is known and short.
std::string first_line(std::string_view began) {
  constexpr std::size_t kMost = 24;
  const std::string_view line = began.substr(0, began.find_first_of("\r\n"));
  return quoted(line.substr(0, kMost)) + (line.size() > kMost ? "…" : "");
}

std::string alert_text(int alert, bool server) {
  std::string text =
      fmt::format("the peer refused: alert '{}' ({})", ::SSL_alert_desc_string_long(alert), alert);
  const auto* const hint = std::ranges::find(kAlertHints, alert, &AlertHint::alert);
  if (hint != std::end(kAlertHints)) text += server ? hint->to_server : hint->to_client;
  return text;
}

std::string reason_text(unsigned long code) {
  const char* const reason = ::ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  return code == 0 ? std::string("no reason given") : fmt::format("OpenSSL error {:08x}", code);
}

}  // namespace

std::string take_tls_error() {
  const unsigned long code = ::ERR_peek_last_error();
  ::ERR_clear_error();
  return reason_text(code);
}

std::string take_tls_protocol_error(std::string_view began, bool server) {
  // The first one is the cause; those after it tell where it came through.
  const unsigned long code = ::ERR_peek_error();
  ::ERR_clear_error();
  const int reason = ERR_GET_REASON(code);
  if (!looks_like_tls(began)) return "the peer does not speak TLS: it began with " + first_line(began);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
      return alert_text(reason - SSL_AD_REASON_OFFSET, server);
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW)
      return "the peer speaks none of TLS 1.2 and 1.3";
    if (reason == SSL_R_NO_SHARED_CIPHER) return "the client offers no cipher that we have";
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
      return "the client gave no certificate, and --client-ca wants one";
  }
  return reason_text(code);
}

}  // namespace pier
