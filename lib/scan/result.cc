#include "scan/result.h"

#include <cmath>
#include <numeric>

namespace pier {

std::uint64_t ScanStats::done() const {
  return std::accumulate(states.begin(), states.end(), std::uint64_t{0});
}

double ScanStats::estimated_loss() const {
  if (probes_of_answered == 0) return 0;
  return static_cast<double>(probes_of_answered - answers) / static_cast<double>(probes_of_answered);
}

double ScanStats::estimated_missed(unsigned retries_allowed) const {
  return std::pow(estimated_loss(), 1 + retries_allowed);
}

}  // namespace pier
