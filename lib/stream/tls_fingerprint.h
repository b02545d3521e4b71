// The fingerprint of a certificate: the SHA-256 of its DER form, as --pin takes and the commands print it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

struct x509_st;

namespace pier {

class TlsFingerprint {
 public:
  using Bytes = std::array<std::uint8_t, 32>;

  TlsFingerprint() = default;
  explicit TlsFingerprint(const Bytes& bytes) : bytes_(bytes) {}

  // 64 hexadecimal digits in either case, with or without colons between the pairs (as `openssl x509
  // -fingerprint -sha256` prints them) and with or without "SHA256:" before them.
  [[nodiscard]] static Result<TlsFingerprint> parse(std::string_view text);
  [[nodiscard]] static TlsFingerprint of(const x509_st* certificate);

  // "SHA256:" and 64 small hexadecimal digits.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const TlsFingerprint&, const TlsFingerprint&) = default;

 private:
  Bytes bytes_{};
};

}  // namespace pier
