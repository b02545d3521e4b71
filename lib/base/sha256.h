// SHA-256 (FIPS 180-4) of bytes that come in pieces, for comparing what was sent with what has arrived.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pier {

class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  // 64 lower-case hexadecimal digits of all bytes so far, as sha256sum(1) prints them. Once, at the end.
  [[nodiscard]] std::string finish();

 private:
  void take_block(const std::byte* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> partial_{};  // the begin of a block
  std::uint64_t size_ = 0;               // of all, in bytes
};

}  // namespace pier
