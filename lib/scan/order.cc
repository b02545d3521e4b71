#include "scan/order.h"

#include <algorithm>
#include <bit>

#include "base/number.h"

namespace pier {
namespace {

// The output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
// OOPSLA 2014): every bit of the result depends on every bit of x.
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}
constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15U;  // its increment, from the same paper

}  // namespace

Permutation::Permutation(std::uint64_t size, std::uint64_t seed) : size_(size) {
  // Both halves have at least one bit; together they number at least `size` and less than twice that, or 4.
  const unsigned bits = std::max(2U, static_cast<unsigned>(std::bit_width(size - (size > 0 ? 1 : 0))));
  low_bits_ = bits / 2;
  low_mask_ = (std::uint64_t{1} << low_bits_) - 1;
  high_mask_ = (std::uint64_t{1} << (bits - low_bits_)) - 1;
  for (std::uint64_t& key : keys_) key = mix(seed += kGoldenGamma);
}

std::uint64_t Permutation::forward(std::uint64_t x) const {
  std::uint64_t low = x & low_mask_;
  std::uint64_t high = x >> low_bits_;
  for (std::size_t round = 0; round < kRounds; round += 2) {
    low ^= mix(high + keys_[round]) & low_mask_;
    high ^= mix(low + keys_[round + 1]) & high_mask_;
  }
  return high << low_bits_ | low;
}

std::uint64_t Permutation::backward(std::uint64_t x) const {
  std::uint64_t low = x & low_mask_;
  std::uint64_t high = x >> low_bits_;
  for (std::size_t round = kRounds; round > 0; round -= 2) {
    high ^= mix(low + keys_[round - 1]) & high_mask_;
    low ^= mix(high + keys_[round - 2]) & low_mask_;
  }
  return high << low_bits_ | low;
}

std::uint64_t Permutation::at(std::uint64_t position) const {
  do position = forward(position);
  while (position >= size_);
  return position;
}

std::uint64_t Permutation::position_of(std::uint64_t number) const {
  do number = backward(number);
  while (number >= size_);
  return number;
}

Result<Shard> Shard::parse(std::string_view text) {
  const auto bad = [&] { return usage_error("--shard", text, "not I/N with I from 1 to N, as in 2/8"); };
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad();
  const auto count = parse_unsigned(text.substr(slash + 1), 1, UINT32_MAX, "shard");
  if (!count) return bad();
  const auto index = parse_unsigned(text.substr(0, slash), 1, *count, "shard");
  if (!index) return bad();
  return Shard{*index, *count};
}

}  // namespace pier
