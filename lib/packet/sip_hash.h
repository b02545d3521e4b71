// SipHash-2-4: a keyed hash that nobody can foretell without the key, fast for a few bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace pier {

// 128 bits, as two little-endian words.
using SipKey = std::array<std::uint64_t, 2>;

// As in J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.
[[nodiscard]] std::uint64_t sip_hash(const SipKey& key, std::span<const std::uint8_t> bytes);

}  // namespace pier
