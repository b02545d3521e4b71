#include "scan/bits_text.h"

#include <algorithm>
#include <bit>

#include "base/base64.h"

namespace pier {
namespace {

constexpr unsigned kWordBits = 64;

std::uint64_t words_of(std::uint64_t size) {
  return (size + kWordBits - 1) / kWordBits;
}

// The first place from `at` on whose bit is `wanted`, or `size`.
std::uint64_t find_bit(std::span<const std::uint64_t> words, std::uint64_t size, std::uint64_t at,
                       bool wanted) {
  for (std::uint64_t word = at / kWordBits; word < words.size() && at < size; ++word) {
    const std::uint64_t bits = (wanted ? words[word] : ~words[word]) >> at % kWordBits;
    if (bits != 0) return std::min(size, at + static_cast<unsigned>(std::countr_zero(bits)));
    at = (word + 1) * kWordBits;
  }
  return wanted ? size : std::min(at, size);
}

void put_number(std::string& bytes, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) bytes.push_back(static_cast<char>(0x80 | (number & 0x7f)));
  bytes.push_back(static_cast<char>(number));
}

// nullopt where it does not end, or is more than `most`.
std::optional<std::uint64_t> take_number(std::string_view& bytes, std::uint64_t most) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; !bytes.empty() && shift < 63; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return number <= most ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

// How often a 1 follows a 0: so many pairs of numbers, known far sooner than they are written.
std::uint64_t count_runs(std::span<const std::uint64_t> words) {
  std::uint64_t count = 0;
  std::uint64_t before = 0;
  for (const std::uint64_t word : words) {
    count += static_cast<unsigned>(std::popcount(word & ~(word << 1 | before)));
    before = word >> (kWordBits - 1);
  }
  return count;
}

// The runs, but for the last one of 0; nullopt where they take more than `most` bytes.
std::optional<std::string> runs_of(std::span<const std::uint64_t> words, std::uint64_t size,
                                   std::size_t most) {
  if (count_runs(words) > most / 2 + 1) return std::nullopt;
  std::string bytes;
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t first = find_bit(words, size, at, true);
    if (first == size) break;
    const std::uint64_t end = find_bit(words, size, first, false);
    put_number(bytes, first - at);
    put_number(bytes, end - first);
    if (bytes.size() > most) return std::nullopt;
    at = end;
  }
  return bytes;
}

std::string bytes_of(std::span<const std::uint64_t> words, std::uint64_t size) {
  std::string bytes((size + 7) / 8, '\0');
  for (std::size_t i = 0; i < bytes.size() && i / 8 < words.size(); ++i)
    bytes[i] = static_cast<char>(words[i / 8] >> i % 8 * 8 & 0xff);
  if (size % 8 != 0) bytes.back() = static_cast<char>(bytes.back() & ((1 << size % 8) - 1));
  bytes.erase(bytes.find_last_not_of('\0') + 1);
  return bytes;
}

bool read_bytes(std::string_view bytes, std::uint64_t size, std::vector<std::uint64_t>& words) {
  if (bytes.size() > (size + 7) / 8) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    words[i / 8] |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << i % 8 * 8;
  return size % kWordBits == 0 || words.empty() || words.back() >> size % kWordBits == 0;
}

bool read_runs(std::string_view bytes, std::uint64_t size, std::vector<std::uint64_t>& words) {
  for (std::uint64_t at = 0; !bytes.empty();) {
    const auto zeros = take_number(bytes, size - at);
    if (!zeros || (*zeros == 0 && at > 0)) return false;
    at += *zeros;
    const auto ones = take_number(bytes, size - at);
    if (!ones || *ones == 0) return false;
    for (const std::uint64_t end = at + *ones; at < end;) {
      const std::uint64_t count = std::min(end - at, kWordBits - at % kWordBits);
      words[at / kWordBits] |= ~std::uint64_t{0} >> (kWordBits - count) << at % kWordBits;
      at += count;
    }
  }
  return true;
}

}  // namespace

std::string bits_text(std::span<const std::uint64_t> words, std::uint64_t size) {
  words = words.first(std::min<std::size_t>(words.size(), words_of(size)));
  const std::string bytes = bytes_of(words, size);
  if (bytes.empty()) return {};
  if (const auto runs = runs_of(words, size, bytes.size())) return "r" + base64_encode(*runs);
  return "b" + base64_encode(bytes);
}

std::optional<std::vector<std::uint64_t>> parse_bits(std::string_view text, std::uint64_t size) {
  std::vector<std::uint64_t> words;
  if (text.empty()) return words;
  const auto bytes = base64_decode(text.substr(1));
  if (!bytes) return std::nullopt;
  words.resize(words_of(size));
  const bool good = text.front() == 'b'   ? read_bytes(*bytes, size, words)
                    : text.front() == 'r' ? read_runs(*bytes, size, words)
                                          : false;
  return good ? std::optional(std::move(words)) : std::nullopt;
}

}  // namespace pier
