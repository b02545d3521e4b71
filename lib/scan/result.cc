#include "scan/result.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pier {

std::uint64_t ScanStats::done() const {
  return std::accumulate(states.begin(), states.end(), std::uint64_t{0});
}

// With each probe lost by chance p, p is also the ratio of those that answer the (k+1)-th probe to those that
// answer the k-th, whatever becomes of the others: so ports that never answer do not bias it. Answers to the
// last probe that a silent port gets have no successor to be compared with.
std::optional<double> ScanStats::estimated_loss() const {
  const std::size_t last = silent > 0 ? least_tries : answers_at.size();
  double lost = static_cast<double>(checks_lost);
  auto asked = static_cast<double>(checks);
  for (std::size_t k = 0; k < std::min(last, answers_at.size()); ++k) {
    if (k > 0) lost += static_cast<double>(answers_at[k]);
    if (k + 1 < last) asked += static_cast<double>(answers_at[k]);
  }
  if (asked == 0) return std::nullopt;
  return std::min(1.0, lost / asked);
}

std::optional<double> ScanStats::estimated_missed() const {
  if (silent == 0) return 0;
  const auto loss = estimated_loss();
  if (!loss) return std::nullopt;
  const auto most = static_cast<double>(silent);
  return std::min(std::pow(*loss, least_tries), most / (most + static_cast<double>(answers)));
}

}  // namespace pier
