#include "stream/tls_digest.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <system_error>
#include <vector>

#include "base/fd.h"
#include "stream/tls_library.h"

namespace pier {
namespace {

std::string hex_of(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 15U];
  }
  return text;
}

}  // namespace

std::string tls_digest(std::string_view name, std::string_view text) {
  if (!load_tls_library()) return {};
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::size_t size = 0;
  if (::EVP_Q_digest(nullptr, std::string(name).c_str(), nullptr, text.data(), text.size(), digest, &size) !=
      1)
    return {};
  return hex_of(digest, size);
}

std::string random_digits(std::size_t count) {
  std::vector<unsigned char> bytes(count / 2 + 1);
  // Up to 256 bytes come at once and whole (getrandom(2)).
  if (retry_eintr([&] { return ::getrandom(bytes.data(), bytes.size(), 0); }) !=
      static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return hex_of(bytes.data(), bytes.size()).substr(0, count);
}

}  // namespace pier
