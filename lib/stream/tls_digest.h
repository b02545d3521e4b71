// Digests and chance, for protocols that have a need of them without TLS.
#pragma once

#include <string>
#include <string_view>

namespace pier {

// In lower-case hexadecimal digits; empty where OpenSSL cannot be loaded or has it not. `name` as OpenSSL
// knows it: "MD5", "SHA256".
[[nodiscard]] std::string tls_digest(std::string_view name, std::string_view text);

// So many hexadecimal digits that nobody can foretell (getrandom(2)).
[[nodiscard]] std::string random_digits(std::size_t count);

}  // namespace pier
