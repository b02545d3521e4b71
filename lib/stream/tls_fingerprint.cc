#include "stream/tls_fingerprint.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <strings.h>

#include <optional>

namespace pier {
namespace {

constexpr std::string_view kPrefix = "SHA256:";
constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<unsigned> digit(char c) {
  const std::size_t at = kDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

}  // namespace

Result<TlsFingerprint> TlsFingerprint::parse(std::string_view text) {
  const auto bad = [&] {
    return usage_error("fingerprint", text,
                       "not 64 hexadecimal digits, the SHA-256 of a certificate; SHA256: may stand before "
                       "them and a colon after each pair");
  };
  std::string_view rest = text;
  if (rest.size() > kPrefix.size() && ::strncasecmp(rest.data(), kPrefix.data(), kPrefix.size()) == 0)
    rest.remove_prefix(kPrefix.size());
  const std::size_t step = rest.size() > 2 && rest[2] == ':' ? 3 : 2;
  Bytes bytes{};
  if (rest.size() != bytes.size() * step - (step - 2)) return bad();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto high = digit(rest[i * step]);
    const auto low = digit(rest[i * step + 1]);
    const bool last = i + 1 == bytes.size();
    if (!high || !low || (step == 3 && !last && rest[i * step + 2] != ':')) return bad();
    bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return TlsFingerprint(bytes);
}

TlsFingerprint TlsFingerprint::of(const x509_st* certificate) {
  TlsFingerprint made;
  ::X509_digest(certificate, ::EVP_sha256(), made.bytes_.data(), nullptr);
  return made;
}

std::string TlsFingerprint::to_string() const {
  std::string text(kPrefix);
  for (const std::uint8_t byte : bytes_) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace pier
