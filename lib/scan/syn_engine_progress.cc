// How far the engine has come, for another one to go on with.
#include <algorithm>
#include <bit>
#include <utility>

#include "scan/syn_engine.h"

namespace pier {
namespace {

// Marks this often, so that no more than that share of a timeout's probes is sent twice.
constexpr int kMarksATimeout = 8;
// Enough for a rate that follows the network from the first second on.
constexpr std::size_t kMostKnown = 64;
// Results that wait for the journal: 70 MB.
constexpr std::size_t kMostKept = std::size_t{1} << 19;

}  // namespace

// Who goes on has other source ports and another key, and does not know the answers to our last probes: those
// of a timeout count as not sent. The first mark is the last one before them, or the beginning.
void SynEngine::mark(TimePoint when) {
  marks_.push_back({.at = when, .round = round_, .cursor = cursor_});
  while (marks_.size() > 1 && marks_[1].at + unknown_for() <= when) marks_.pop_front();
}

// After that, whoever was going to answer a probe has done so.
Duration SynEngine::unknown_for() const {
  return limits_.timeout + wire_.longest_kept();
}

bool SynEngine::is_mark_due(TimePoint when) const {
  return limits_.journal != nullptr && when >= marks_.back().at + limits_.timeout / kMarksATimeout;
}

SynProgress SynEngine::part_progress(TimePoint when) const {
  SynProgress part;
  part.known = checks_.known(kMostKnown);
  if (part_ < plan_.size() && part_size_ == 0) {
    part.size = std::min(plan_.size() - part_, limits_.part);
  } else if (part_ < plan_.size()) {
    const auto after =
        std::ranges::find_if(marks_, [&](const Mark& mark) { return mark.at + unknown_for() > when; });
    const Mark& from = after == marks_.begin() ? marks_.front() : *std::prev(after);
    part.size = part_size_;
    part.round = from.round;
    part.cursor = from.cursor;
    part.found = from.round == round_ ? found_ : std::max(found_, last_found_);
    if (left_ < part_size_) part.settled = answered_;
    part.distrusted = stretches_.distrusted();
    if (std::ranges::any_of(stretches_.calm(), [](std::uint8_t round) { return round > 0; }))
      part.calm = stretches_.calm();
  }
  for (const auto& [key, host] : hosts_)
    for (const PortResult& result : host.held)
      part.held.push_back({.index = result.index, .tries = result.tries, .rtt = result.rtt});
  if (!up_bits_.empty() && plan_.hosts() <= SynProgress::kMostPairs) {
    part.hosts = plan_.hosts();
    part.up = up_bits_;
  }
  return part;
}

ScanProgress SynEngine::progress(TimePoint when) const {
  ScanProgress progress{
      .next = part_, .unsettled = {}, .stats = stats_, .up = {}, .given_up = {}, .crowds = {}};
  progress.syn = part_progress(when);
  constexpr std::size_t kMost = ScanProgress::kMostHosts;
  for (const auto& [index, host] : hosts_) {
    if (progress.up.size() < kMost)
      progress.up.push_back({.index = index,
                             .suspect = host.canary == CanaryState::suspect,
                             .clear = host.canary == CanaryState::clear});
    if (limits_.max_open && host.open > host.held.size())
      progress.crowds.push_back({.host = index, .open = host.open - host.held.size()});
  }
  if (progress.syn->hosts > 0) return progress;
  const auto add = [&](std::uint64_t index) {
    if (!hosts_.contains(index)) progress.up.push_back({.index = index, .suspect = false, .clear = false});
    return progress.up.size() < kMost;
  };
  for (std::size_t i = 0; i < up_bits_.size(); ++i)
    for (std::uint64_t bits = up_bits_[i]; bits != 0; bits &= bits - 1)
      if (!add(i * 64 + static_cast<unsigned>(std::countr_zero(bits)))) return progress;
  for (const std::uint64_t index : up_)
    if (!add(index)) return progress;
  return progress;
}

HostState& SynEngine::restored_host(std::uint64_t index) {
  HostState& host = hosts_[index];
  host.address = plan_.targets().addresses().at(index);
  host.index = index;
  host.up = true;
  return host;
}

void SynEngine::restore_hosts(const ScanProgress& progress) {
  if (progress.syn->hosts == plan_.hosts() && !progress.syn->up.empty() && !up_bits_.empty())
    std::ranges::copy(progress.syn->up, up_bits_.begin());
  for (const ScanProgress::HostMark& mark : progress.up) {
    if (mark.index >= plan_.hosts()) continue;
    mark_up(mark.index);
    if (mark.suspect || mark.clear)
      restored_host(mark.index).canary = mark.suspect ? CanaryState::suspect : CanaryState::clear;
  }
  for (const ScanProgress::Crowd& crowd : progress.crowds)
    if (crowd.host < plan_.hosts()) restored_host(crowd.host).open = crowd.open;
  for (const SynProgress::Held& held : progress.syn->held) {
    const Pair pair = plan_.at(held.index);
    HostState& host = restored_host(pair.host_index);
    ++host.open;
    host.held.push_back({.address = pair.address,
                         .port = pair.port,
                         .protocol = PortProtocol::tcp,
                         .state = PortState::open,
                         .reason = "syn-ack",
                         .rtt = held.rtt,
                         .tries = held.tries,
                         .index = held.index});
  }
  if (!limits_.canaries) return;
  for (auto& [index, host] : hosts_)
    if (host.canary == CanaryState::unasked) ask_canaries(host, started_);
}

bool SynEngine::fits(const ProbePlan& plan, const ScanProgress& progress) {
  if (!progress.syn || !progress.unsettled.empty() || progress.next > plan.size()) return false;
  const SynProgress& part = *progress.syn;
  const std::uint64_t left = plan.size() - progress.next;
  if (part.size > left || (part.size == 0 && left > 0)) return false;
  const std::uint64_t end = progress.next + part.size;
  return std::ranges::all_of(part.held, [&](const auto& held) { return held.index < end; });
}

void SynEngine::restore(const ScanProgress& progress) {
  const SynProgress& part = *progress.syn;
  const std::uint64_t pairs = stats_.pairs;
  const std::uint64_t hosts = stats_.hosts;
  stats_ = progress.stats;
  stats_.pairs = pairs;
  stats_.hosts = hosts;
  restore_hosts(progress);
  for (const SynProgress::Known& known : part.known) {
    if (known.index >= plan_.size()) continue;
    const Pair pair = plan_.at(known.index);
    checks_.add(known.index, pair.address, pair.port, known.open, std::nullopt, started_);
  }
  part_ = progress.next;
  if (part.size > 0) restore_part(part);
  started_ -= stats_.elapsed;
}

void SynEngine::restore_part(const SynProgress& part) {
  part_size_ = part.size;
  answered_.assign(part_size_ / 64 + 1, 0);
  std::ranges::copy(part.settled, answered_.begin());
  left_ = part_size_;
  for (const std::uint64_t word : answered_) left_ -= static_cast<std::uint64_t>(std::popcount(word));
  // Whenever it was: none is asked again too soon.
  sent_.assign(part_size_, microseconds_of(now()));
  round_ = part.round;
  cursor_ = part.cursor;
  found_ = part.found;
  // Where it was a later round that found it to be wrong, this one has to be followed by one over all too.
  const unsigned distrusted = std::min(part.distrusted, round_);
  unforeseen_ = distrusted == round_;
  stretches_.begin(part_size_);
  stretches_.restore(part.calm, distrusted, cursor_);
  round_sent_ = false;
  marks_.clear();
  mark(now());
}

bool SynEngine::journal(bool complete) {
  if (limits_.journal == nullptr) return true;
  const ScanProgress at = progress(now());
  return limits_.journal->before_results(at, desk_.kept(), complete) && desk_.pass_kept() &&
         limits_.journal->after_results(at, complete);
}

bool SynEngine::journal_when_due(TimePoint when) {
  if (limits_.journal == nullptr) return true;
  const bool due = desk_.kept().size() >= kMostKept || limits_.journal->due(when);
  return !due || journal(false);
}

}  // namespace pier
