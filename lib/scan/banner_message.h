// Banners as bytes, from the process that asks for them to the one that shows them. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "scan/banner.h"

namespace pier {

struct BannerMessage {
  std::uint64_t number = 0;  // of the question
  Banner banner;
};

// A size, the number, then each text with its size before it; the names of a certificate come last. Both ends
// are one program on one host: numbers are as its processor has them.
[[nodiscard]] std::string to_bytes(const BannerMessage& message);

// Reads them again, whoever wrote them: what comes out is as printable as what read_banner() gives.
class BannerMessageReader {
 public:
  // Of one message: a certificate has 100 KB at most (SSL_CTX_set_max_cert_list(3)).
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  void add(std::string_view bytes) { bytes_ += bytes; }
  // The next one that is there in full, or nullopt. ErrorKind::local where the bytes are none; nothing of
  // what follows can be read then.
  [[nodiscard]] Result<std::optional<BannerMessage>> next();

 private:
  std::string bytes_;
};

}  // namespace pier
