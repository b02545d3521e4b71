#include "scan/order.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <optional>

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
  const auto bad = [&] {
    return usage_error("--shard", text, "not I/N with I from 1 to N, as in 2/8, and not auto");
  };
  if (text == "auto" || text.starts_with("auto/"))
    return from_scheduler(text, [](const char* name) { return std::getenv(name); });
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad();
  const auto count = parse_unsigned(text.substr(slash + 1), 1, UINT32_MAX, "shard");
  if (!count) return bad();
  const auto index = parse_unsigned(text.substr(0, slash), 1, *count, "shard");
  if (!index) return bad();
  return Shard{*index, *count};
}

Result<Shard> Shard::from_scheduler(std::string_view text, const Lookup& lookup) {
  const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
    const char* value = lookup(name);
    if (value == nullptr) return std::nullopt;
    const auto parsed = parse_unsigned(value, 0, UINT32_MAX, name);
    return parsed ? std::optional(*parsed) : std::nullopt;
  };
  const auto bad = [&](std::string_view why) { return usage_error("--shard", text, why); };
  if (const auto id = number("SLURM_ARRAY_TASK_ID")) {
    const auto count = number("SLURM_ARRAY_TASK_COUNT");
    if (!count || *count == 0) return bad("SLURM_ARRAY_TASK_COUNT is not set to a number");
    const auto first = number("SLURM_ARRAY_TASK_MIN");
    const std::uint64_t step = std::max<std::uint64_t>(number("SLURM_ARRAY_TASK_STEP").value_or(1), 1);
    // Every Slurm says where the array begins. Where nothing does, it is taken to be 1, as in I/N; should it
    // be 0, the parts are the same in another order.
    if (!first) return Shard{(*id + *count - 1) % *count + 1, *count};
    if (*id < *first || (*id - *first) % step != 0 || (*id - *first) / step >= *count)
      return bad("the tasks of this array are not evenly numbered: give I/N");
    return Shard{(*id - *first) / step + 1, *count};
  }
  if (const auto index = number("JOB_COMPLETION_INDEX")) {
    std::optional<std::uint64_t> count = number("JOB_COMPLETION_COUNT");
    if (!count) count = number("JOB_COMPLETIONS");
    if (text.starts_with("auto/")) {
      const auto given = parse_unsigned(text.substr(5), 1, UINT32_MAX, "shard");
      if (!given) return bad("a number of completions follows the slash, as in auto/8");
      count = *given;
    }
    if (!count)
      return bad(
          "Kubernetes tells the index of this pod but not how many there are: set JOB_COMPLETIONS, or "
          "give auto/N with the job's completions");
    if (*index >= *count) return bad("JOB_COMPLETION_INDEX is not below the number of completions");
    return Shard{*index + 1, *count};
  }
  return bad("neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set: this is no array job");
}

}  // namespace pier
