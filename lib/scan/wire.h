// Building messages of network protocols byte by byte, and reading them without running past their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace pier::wire {

// Numbers in network order.
inline std::string u8(unsigned value) {
  return std::string(1, static_cast<char>(value));
}
inline std::string u16(unsigned value) {
  return u8(value >> 8 & 0xff) + u8(value & 0xff);
}
inline std::string u24(unsigned value) {
  return u8(value >> 16 & 0xff) + u16(value & 0xffff);
}
inline std::string u32(std::uint32_t value) {
  return u16(value >> 16) + u16(value & 0xffff);
}
inline std::string zeros(std::size_t count) {
  return std::string(count, '\0');
}
// With its length before it.
inline std::string with_u8(std::string_view text) {
  return u8(static_cast<unsigned>(text.size())) + std::string(text);
}
inline std::string with_u16(std::string_view text) {
  return u16(static_cast<unsigned>(text.size())) + std::string(text);
}
inline std::string with_u24(std::string_view text) {
  return u24(static_cast<unsigned>(text.size())) + std::string(text);
}
// A list of 16-bit numbers.
inline std::string u16s(std::initializer_list<unsigned> values) {
  std::string text;
  for (const unsigned value : values) text += u16(value);
  return text;
}

// ASN.1's distinguished encoding (X.690): tag, length, content.
inline std::string tlv(unsigned tag, std::string_view content) {
  const auto size = static_cast<unsigned>(content.size());
  std::string length;
  if (size < 0x80)
    length = u8(size);
  else if (size < 0x100)
    length = u8(0x81) + u8(size);
  else
    length = u8(0x82) + u16(size);
  return u8(tag) + length + std::string(content);
}
inline std::string integer(unsigned value) {  // below 2^23
  if (value < 0x80) return tlv(0x02, u8(value));
  return value < 0x8000 ? tlv(0x02, u16(value)) : tlv(0x02, u24(value));
}
inline std::string octets(std::string_view text) {
  return tlv(0x04, text);
}
inline std::string sequence(std::string_view content) {
  return tlv(0x30, content);
}

// What is left of a message. Each take is nullopt, and takes nothing, where that is too short.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

  // A number of that many bytes, at most 4.
  std::optional<std::uint32_t> number(std::size_t size) {
    const auto bytes = take(size);
    if (!bytes) return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : *bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::optional<std::string_view> take(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  // Bytes after a length of `size` bytes.
  std::optional<std::string_view> vector(std::size_t size) {
    const std::string_view before = rest_;
    const auto length = number(size);
    const auto bytes = length ? take(*length) : std::nullopt;
    if (!bytes) rest_ = before;
    return bytes;
  }

 private:
  std::string_view rest_;
};

}  // namespace pier::wire
