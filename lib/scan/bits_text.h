// A row of bits, such as which of 16 million pairs have answered, as a short line of text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pier {

// Of the first `size` bits of `words`, the lowest of each word first; words that are missing are 0. In base64
// (RFC 4648), whichever is shorter: after "b" the bits themselves, or after "r" how many are 0, then 1, then
// 0 and so on, each number in the LEB128 of DWARF. Nothing where all are 0, and at most about a character for
// 6 bits. Of 2^24 bits, by chance: 2.8 MB where one in 2 is set, 0.5 MB of one in 100, 16 kB of one in 4096.
[[nodiscard]] std::string bits_text(std::span<const std::uint64_t> words, std::uint64_t size);

// The words, as many as `size` bits need; none for an empty text. nullopt for anything that is no such text,
// or has more bits than that.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> parse_bits(std::string_view text, std::uint64_t size);

}  // namespace pier
