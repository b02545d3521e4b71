// Name and password for an HTTP proxy: Basic (RFC 7617) and Digest (RFC 7616), whichever it asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http_head.h"
#include "proxy/negotiation.h"

namespace pier {

enum class DigestAlgorithm : unsigned char { md5, sha256 };
// The digest of `text` in lower-case hexadecimal digits; an empty string where this build has no such digest.
// Cryptography is the caller's.
using DigestFunction = std::function<std::string(DigestAlgorithm, std::string_view text)>;

// What is remembered of one proxy, also over several connections to it: a nonce is never used twice with one
// count. Nothing is said before the proxy has asked, and the password itself only where it asks for Basic and
// for nothing better.
class HttpProxyAuth {
 public:
  // `nonce` gives at least 16 characters that nobody can foretell, of letters and digits.
  HttpProxyAuth(Credentials credentials, DigestFunction digest, std::function<std::string()> nonce);

  enum class Learned : unsigned char {
    usable,   // authorization() has an answer now
    refused,  // the answer that it had was not good: wrong name or password
    unknown,  // it asks in no way known here
  };
  // Takes the challenges of a 407 response.
  Learned learn(const HttpHead& response);

  // The value of Proxy-Authorization for a request with this method and target; empty while the proxy has not
  // asked.
  [[nodiscard]] std::string authorization(std::string_view method, std::string_view uri);

 private:
  struct Challenge {
    bool digest = false;
    DigestAlgorithm algorithm = DigestAlgorithm::md5;
    bool session = false;  // MD5-sess, SHA-256-sess
    bool qop = false;      // auth; without it, RFC 2069's older form
    bool stale = false;
    bool user_hash = false;
    std::string algorithm_name;  // as the proxy wrote it; may be empty
    std::string realm, nonce;
    std::optional<std::string> opaque;
  };
  struct Offer;

  [[nodiscard]] std::optional<Challenge> usable(const Offer& offer) const;
  [[nodiscard]] std::string digest_answer(std::string_view method, std::string_view uri);

  Credentials credentials_;
  DigestFunction digest_;
  std::function<std::string()> nonce_;
  std::optional<Challenge> challenge_;
  std::uint32_t count_ = 0;  // requests with the challenge's nonce
  bool answered_ = false;    // since the last 407
};

}  // namespace pier
