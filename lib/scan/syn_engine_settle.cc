// What comes in means to the scan.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/number.h"
#include "scan/canary.h"
#include "scan/syn_engine.h"

namespace pier {
namespace {

using Kind = Judgement::Kind;

// A lost probe of a canary would call a host clear that is not.
constexpr unsigned kCanaryTries = 2;
// A silent port that was asked while no check was lost counts as one that was asked so often.
constexpr unsigned kTriesOfCalm = 2;
// Silent pairs that are told between two looks at the clock.
constexpr std::uint64_t kBetweenJournals = 4096;

std::uint64_t canary_key(std::uint64_t host, std::uint16_t port) {
  return host << 16 | port;
}

Judgement judge_answer(const SynAnswer& answer) {
  switch (answer.kind) {
    case SynReply::Kind::syn_ack:
      return {Kind::verdict, PortState::open, "syn-ack"};
    case SynReply::Kind::reset:
      return {Kind::verdict, PortState::closed, "reset"};
    case SynReply::Kind::icmp:
      break;
  }
  return judge({.how = ConnectEnd::How::later, .icmp = answer.icmp});
}

}  // namespace

bool SynEngine::settle_answers() {
  answers_.clear();
  wire_.take(answers_);
  for (const SynAnswer& answer : answers_)
    if (!settle(answer)) return false;
  return true;
}

bool SynEngine::settle(const SynAnswer& answer) {
  const auto index = plan_.index_of(answer.address, answer.port, PortProtocol::tcp);
  const bool to_check = answer.lane == wire_.lanes() - 1;
  if (to_check && !canaries_.empty())
    if (const auto host = plan_.targets().addresses().index_of(answer.address))
      if (!settle_canary(canary_key(static_cast<std::uint64_t>(*host), answer.port), &answer)) return false;
  if (!index) return true;
  if (to_check) checks_.answered(*index, answer.at);
  if (!is_of_part(*index) || is_answered(*index - part_)) return true;
  return settle_pair(*index - part_, answer);
}

bool SynEngine::settle_pair(std::uint64_t at, const SynAnswer& answer) {
  const TimePoint when = now();
  answered_[at / 64] |= std::uint64_t{1} << at % 64;
  --left_;
  // Each round asked from another source port, as far as there are any.
  const std::size_t lanes = wire_.lanes();
  const auto is_of = [&](unsigned round) { return lanes == 1 || (round - 1) % (lanes - 1) == answer.lane; };
  unsigned round = std::max(last_asked(at, round_), 1U);
  std::optional<Duration> rtt;
  if (is_of(round)) rtt = std::max(answer.at - sent_at(at, when), Duration::zero());
  while (round > 1 && !is_of(round)) round = std::max(last_asked(at, round - 1), 1U);
  const unsigned tries = std::max(tries_of(at, round), 1U);
  ++stats_.answers;
  if (tries > 1) ++stats_.late_answers;
  if (round == round_) ++found_;
  const unsigned calm = stretches_.calm_since(at);
  if (calm > 0 && round > calm && stretches_.distrusted() == 0) {
    stretches_.distrust(round_);
    unforeseen_ = true;
  }
  ++stats_.answers_at[std::min<std::size_t>(tries, kMostTries) - 1];
  const Judgement judgement = judge_answer(answer);
  const Pair pair = plan_.at(part_ + at);
  if (answer.kind != SynReply::Kind::icmp) {
    if (rtt) rtt_.sample(*rtt);
    stats_.rtt = rtt_.smoothed();
    checks_.add(part_ + at, pair.address, pair.port, judgement.state == PortState::open, rtt, when);
  }
  return report(pair, {.address = pair.address,
                       .port = pair.port,
                       .protocol = PortProtocol::tcp,
                       .state = judgement.state,
                       .reason = judgement.reason,
                       .rtt = rtt,
                       .tries = tries,
                       .index = part_ + at});
}

bool SynEngine::report(const Pair& pair, PortResult result) {
  if (result.state == PortState::open) {
    const auto [found, is_new] = hosts_.try_emplace(pair.host_index);
    HostState& host = found->second;
    if (is_new) {
      host.address = pair.address;
      host.index = pair.host_index;
      if (limits_.canaries) ask_canaries(host, now());
    }
    host.up = true;
    if (!mark_up(pair.host_index)) ++stats_.hosts_up;
    return desk_.take(host, std::move(result));
  }
  if (result.state == PortState::closed && !mark_up(pair.host_index)) ++stats_.hosts_up;
  return desk_.take(others_, std::move(result));
}

// Whether it was up already.
bool SynEngine::mark_up(std::uint64_t host) {
  if (plan_.ports() == 1) return false;  // each host has one answer
  if (up_bits_.empty()) return !up_.insert(host).second;
  std::uint64_t& word = up_bits_[host / 64];
  const std::uint64_t bit = std::uint64_t{1} << host % 64;
  const bool was = (word & bit) != 0;
  word |= bit;
  return was;
}

void SynEngine::ask_canaries(HostState& host, TimePoint when) {
  host.canary = CanaryState::asked;
  for (const std::uint16_t port : canary_ports(plan_, host.index, limits_.seed)) {
    const std::uint64_t key = canary_key(host.index, port);
    if (!canaries_.try_emplace(key, Canary{.host = &host, .port = port, .tries = 0, .due = when}).second)
      continue;
    ++host.canaries_out;
    canary_queue_.push_back(key);
  }
}

// Without an answer, its time is over.
bool SynEngine::settle_canary(std::uint64_t key, const SynAnswer* answer) {
  const auto found = canaries_.find(key);
  if (found == canaries_.end() || found->second.tries == 0) return true;
  HostState& host = *found->second.host;
  if (answer == nullptr || answer->kind != SynReply::Kind::syn_ack) host.canary_unanswered = true;
  canaries_.erase(found);
  if (--host.canaries_out > 0) return true;
  host.canary = host.canary_unanswered ? CanaryState::clear : CanaryState::suspect;
  if (host.canary == CanaryState::suspect)
    observer_.detail(host.address.to_string() + " answers on ports where nobody should listen: suspect");
  return desk_.canaries_known(host);
}

bool SynEngine::expire(TimePoint when) {
  while (const auto check = checks_.take_outcome(when)) {
    if (check->lost) ++stats_.checks_lost;
    rate_.check(check->lost, check->sent, when);
    stretches_.check(check->lost, check->sent);
  }
  if (canaries_.empty() || when < next_canary_) return true;
  next_canary_ = TimePoint::max();
  std::vector<std::uint64_t> over;
  for (auto& [key, canary] : canaries_) {
    if (canary.tries == 0) continue;  // in the queue
    if (when < canary.due)
      next_canary_ = std::min(next_canary_, canary.due);
    else if (canary.tries >= kCanaryTries)
      over.push_back(key);
    else if (canary.due != TimePoint::max()) {
      canary.due = TimePoint::max();
      canary_queue_.push_back(key);
    }
  }
  return std::ranges::all_of(over, [&](std::uint64_t key) { return settle_canary(key, nullptr); });
}

// What this host had no room for was sent in vain, as what the network loses.
void SynEngine::count_drops(TimePoint when) {
  const std::uint64_t drops = wire_.take_drops();
  if (drops == 0) return;
  if (dropped_ == 0)
    observer_.note("this host cannot take in all answers at this rate: what it drops counts as lost");
  dropped_ += drops;
  stats_.checks += drops;
  stats_.checks_lost += drops;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(drops, 64); ++i) rate_.check(true, when, when);
}

void SynEngine::note_limit() {
  limit_told_ = true;
  observer_.note(fmt::format("the network takes no more than about {} probes a second: going slower",
                             format_count(static_cast<std::uint64_t>(rate_.rate()))));
}

bool SynEngine::settle_faults() {
  for (const SynFault& fault : std::exchange(faults_, {})) {
    const Purpose purpose = purpose_of(fault.tag);
    const std::uint64_t what = fault.tag >> kPurposeBits;
    if (purpose == Purpose::canary && !settle_canary(what, nullptr)) return false;
    // One of a part that is over has its verdict.
    if (purpose != Purpose::ask || !is_of_part(what) || is_answered(what - part_)) continue;
    const std::uint64_t at = what - part_;
    answered_[at / 64] |= std::uint64_t{1} << at % 64;
    --left_;
    const Pair pair = plan_.at(what);
    const Judgement judgement = judge({.how = ConnectEnd::How::at_once, .code = fault.code});
    if (!report(pair, {.address = pair.address,
                       .port = pair.port,
                       .state = PortState::error,
                       .reason = judgement.reason,
                       .rtt = {},
                       .tries = tries_of(at),
                       .index = what}))
      return false;
  }
  return true;
}

bool SynEngine::settle_silent() {
  for (std::uint64_t at = 0; at < part_size_ && left_ > 0; ++at) {
    if (at % kBetweenJournals == 0 && !journal_when_due(now())) return false;
    if (is_answered(at)) continue;
    answered_[at / 64] |= std::uint64_t{1} << at % 64;
    --left_;
    ++stats_.silent;
    const unsigned tries = tries_of(at);
    const unsigned counts = stretches_.calm_since(at) > 0 ? std::max(tries, kTriesOfCalm) : tries;
    stats_.least_tries = stats_.silent == 1 ? counts : std::min(stats_.least_tries, counts);
    const Pair pair = plan_.at(part_ + at);
    const bool unsent = !unsent_.empty() && (unsent_[at / 64] >> at % 64 & 1) != 0;
    const Judgement judgement = unsent ? judge_no_neighbour() : judge({});
    if (!report(pair, {.address = pair.address,
                       .port = pair.port,
                       .state = judgement.state,
                       .reason = judgement.reason,
                       .rtt = {},
                       .tries = tries,
                       .index = part_ + at}))
      return false;
  }
  return true;
}

// Of what was asked and what was not: nothing is known of the ports.
bool SynEngine::settle_broken() {
  for (std::uint64_t at = 0; at < part_size_ && left_ > 0; ++at) {
    if (is_answered(at)) continue;
    --left_;
    const Pair pair = plan_.at(part_ + at);
    if (!report(pair, {.address = pair.address,
                       .port = pair.port,
                       .state = PortState::error,
                       .reason = failure_->message(),
                       .rtt = {},
                       .tries = tries_of(at),
                       .index = part_ + at}))
      return false;
  }
  return true;
}

}  // namespace pier
