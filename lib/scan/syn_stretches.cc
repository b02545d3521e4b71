#include "scan/syn_stretches.h"

#include <algorithm>

namespace pier {

void SynStretches::begin(std::uint64_t pairs) {
  stretches_.clear();
  calm_.assign(pairs / kBlock + 1, 0);
  distrusted_ = 0;
  unsure_ = UINT64_MAX;
}

void SynStretches::restore(const std::vector<std::uint8_t>& calm, unsigned distrusted, std::uint64_t at) {
  std::ranges::copy_n(calm.begin(), static_cast<std::ptrdiff_t>(std::min(calm.size(), calm_.size())),
                      calm_.begin());
  distrusted_ = distrusted;
  unsure_ = at / kBlock;
}

void SynStretches::ask(std::uint64_t at, bool limited, TimePoint when) {
  const std::uint64_t block = at / kBlock;
  if (stretches_.empty() || (stretches_.back().asked >= kPairs && block != last_))
    stretches_.push_back({.first = block, .began = when});
  Stretch& stretch = stretches_.back();
  ++stretch.asked;
  stretch.limited = stretch.limited && limited;
  last_ = block;
}

void SynStretches::check(bool lost, TimePoint sent) {
  const auto after =
      std::ranges::upper_bound(stretches_, sent, {}, [](const Stretch& stretch) { return stretch.began; });
  if (after == stretches_.begin()) return;
  Stretch& stretch = *(after - 1);
  ++stretch.checks;
  if (lost) ++stretch.lost;
}

void SynStretches::doubt(TimePoint since) {
  for (auto stretch = stretches_.rbegin(); stretch != stretches_.rend(); ++stretch) {
    stretch->limited = false;
    if (stretch->began <= since) return;
  }
}

void SynStretches::end_round(unsigned round) {
  for (std::size_t i = 0; i < stretches_.size() && distrusted_ == 0; ++i) {
    const bool beside =
        (i > 0 && stretches_[i - 1].lost > 0) || (i + 1 < stretches_.size() && stretches_[i + 1].lost > 0);
    const Stretch& stretch = stretches_[i];
    if (beside || !stretch.limited || stretch.lost > 0 || stretch.checks < kChecks) continue;
    const std::uint64_t end = i + 1 < stretches_.size() ? stretches_[i + 1].first : last_ + 1;
    for (std::uint64_t block = stretch.first; block < end; ++block)
      if (calm_[block] == 0 && block != unsure_) calm_[block] = static_cast<std::uint8_t>(round);
  }
  stretches_.clear();
  unsure_ = UINT64_MAX;
}

}  // namespace pier
