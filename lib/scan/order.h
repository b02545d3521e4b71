// The order in which a scan asks: a seeded permutation, so that no host is hit by all its probes at once and
// nothing has to be remembered.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace pier {

// A bijection of the numbers 0 to size-1 onto themselves, computed without a table: a Feistel network over
// the next power of two, walked on until it lands inside (J. Black, P. Rogaway, "Ciphers with Arbitrary
// Finite Domains", CT-RSA 2002, methods 2 and 3). It spreads; it does not keep secrets. The same size and
// seed give the same order on every machine.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t seed);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  // The number at `position`, which is below size(). On average it takes at most two walks.
  [[nodiscard]] std::uint64_t at(std::uint64_t position) const;
  // The inverse: at(position_of(x)) == x.
  [[nodiscard]] std::uint64_t position_of(std::uint64_t number) const;

 private:
  // Four rounds make a Feistel network a pseudo-random permutation (Luby and Rackoff 1988); twice as many
  // make up for the halves of few bits that small sizes have.
  static constexpr std::size_t kRounds = 8;

  [[nodiscard]] std::uint64_t forward(std::uint64_t x) const;
  [[nodiscard]] std::uint64_t backward(std::uint64_t x) const;

  std::uint64_t size_;
  unsigned low_bits_;
  std::uint64_t low_mask_;
  std::uint64_t high_mask_;
  std::array<std::uint64_t, kRounds> keys_{};
};

// One part of a scan that several machines share: of all positions those that leave index - 1 when divided by
// count. The parts of one count are disjoint and together the whole.
struct Shard {
  std::uint64_t index = 1;  // from 1 to count
  std::uint64_t count = 1;

  // "2/8"; or "auto", what the job scheduler says of this task (see from_scheduler). A usage error otherwise.
  [[nodiscard]] static Result<Shard> parse(std::string_view text);

  // Looks up variables of the environment.
  using Lookup = std::function<const char*(const char* name)>;
  // The number and count of this task in a Slurm array job (sbatch(1): SLURM_ARRAY_TASK_ID, _MIN, _STEP and
  // _COUNT) or of this pod in an indexed Kubernetes job (JOB_COMPLETION_INDEX, from 0; the count, which
  // Kubernetes does not tell, is JOB_COMPLETION_COUNT, JOB_COMPLETIONS or the second word of "auto/8").
  // `text` is what was given.
  [[nodiscard]] static Result<Shard> from_scheduler(std::string_view text, const Lookup& lookup);

  // How many of `total` positions are in this part, and the i-th of them.
  [[nodiscard]] std::uint64_t size(std::uint64_t total) const {
    return total / count + (total % count >= index ? 1 : 0);
  }
  [[nodiscard]] std::uint64_t position(std::uint64_t i) const { return i * count + (index - 1); }
  // Which of them `position` is; nullopt for one of another part.
  [[nodiscard]] std::optional<std::uint64_t> index_of(std::uint64_t position) const {
    return position % count == index - 1 ? std::optional(position / count) : std::nullopt;
  }
};

}  // namespace pier
