// What the end of a probe means to the scan.
#include <fmt/core.h>

#include <algorithm>

#include "base/number.h"
#include "scan/canary.h"
#include "scan/engine.h"

namespace pier {
namespace {

using Kind = Judgement::Kind;

// The kernel picks a source port by chance; the target's own, once in thousands. Only a fixed source port
// meets itself this often.
constexpr unsigned kMostToItself = 16;
// 10 ms doubled seven times: a host without room is asked for about 2.5 s in all before it is believed.
constexpr unsigned kMostStuck = 8;
constexpr Duration kFirstPause = std::chrono::milliseconds(10);
// What loses a packet, a burst, a busy queue, a radio, seldom lasts longer.
constexpr Duration kBetweenRounds = std::chrono::milliseconds(300);
// A host that says nothing gives no sign of loss either: its silence does not open its window further.
constexpr std::size_t kMostOnSilence = 1024;
// Answers that come within the time that asking some others takes.
constexpr Duration kNear = std::chrono::milliseconds(1);
constexpr std::uint32_t kNearAnswers = 3;
// As many faults of this host in a row, and a host is not asked any more.
constexpr std::uint16_t kMostFaults = 256;
// A host that loses much is asked at the rate at which it answered, not slower than this; from then on as the
// finding is, by these factors.
constexpr double kSlowest = 20;
constexpr double kFaster = 1.15;
constexpr double kMuchFaster = 1.6;  // after a cut by guess, until the next loss
constexpr double kSlower = 0.75;
// After so many cuts in a row going slower is no help: the network is just as bad at any rate.
constexpr std::uint8_t kMostCuts = 6;
// Beyond, there is no need for a pace.
constexpr Duration kNoPace = std::chrono::microseconds(10);
constexpr double kLeastShare = 0.1;

}  // namespace

bool ScanEngine::settle(const ProbeEnd& end) {
  const Question question = asked_[end.tag];
  free_tags_.push_back(end.tag);
  asked_[end.tag].host = nullptr;
  HostState& host = *question.host;
  const Judgement& judgement = end.judgement;
  --host.in_flight;
  if (question.purpose == Purpose::ask) --in_flight_at_[question.waiting.tries];
  bool wanted = true;
  if (judgement.kind == Kind::shortage) {
    wanted = settle_shortage(question, judgement);
  } else {
    stuck_ = 0;
    const bool silent = judgement.kind == Kind::no_answer;
    if (!silent) window_.grow();
    if (!silent || host.window.size() < kMostOnSilence) host.window.grow();
    if (question.purpose == Purpose::ask)
      wanted = settle_port(question, end);
    else if (question.purpose == Purpose::canary)
      wanted = settle_canary(question, judgement);
    else
      settle_check(question, judgement);
  }
  mark_ready(host);
  return wanted;
}

bool ScanEngine::settle_shortage(const Question& question, const Judgement& judgement) {
  // It never went out.
  Question again = question;
  if (question.purpose == Purpose::ask) {
    --stats_.probes;
    if (--again.waiting.tries > 0) --stats_.retries;
  } else {
    --(question.purpose == Purpose::check ? stats_.checks : stats_.canaries);
  }
  window_.shrink_to(prober_.in_flight());
  if (prober_.in_flight() == 0 && now() >= resume_at_) {
    if (stuck_ >= kMostStuck) {
      if (question.purpose == Purpose::ask) return report(again, judgement, std::nullopt);
      return question.purpose != Purpose::canary || settle_canary(question, judgement);
    }
    resume_at_ = now() + kFirstPause * (1 << stuck_++);
  }
  urgent_.push_back(again);
  return true;
}

bool ScanEngine::settle_port(const Question& question, const ProbeEnd& end) {
  const Judgement& judgement = end.judgement;
  HostState& host = *question.host;
  if (judgement.kind == Kind::to_itself) {
    // It would take two such accidents in a row for an open port to be none.
    const bool believed = judgement.state == PortState::open && question.to_itself > 0;
    if (!believed && question.to_itself + 1U < kMostToItself) {
      Question again = question;
      ++again.to_itself;
      --again.waiting.tries;
      urgent_.push_back(again);
      return true;
    }
  }
  if (judgement.kind == Kind::no_answer) {
    ++host.silences;
    const bool last = limits_.retries && question.waiting.tries > *limits_.retries;
    if (!last) {
      late_.push_back({question.waiting, now() + kBetweenRounds});
      return true;
    }
    return report(question, judgement, std::nullopt);
  }
  if (judgement.state == PortState::error) {
    count_fault(host);
    return report(question, judgement, std::nullopt);
  }
  learn_from_answer(host, question, judgement.state, end.took);
  return report(question, judgement, end.took);
}

bool ScanEngine::settle_unasked() {
  for (const Question& question : unasked_) {
    const bool tcp = question.host->protocol == PortProtocol::tcp;
    const Judgement judgement =
        question.host->given_up
            ? Judgement{Kind::verdict, PortState::error, "not asked: this host failed too often to reach it"}
        : tcp ? judge({})
              : judge_datagram({});
    if (!report(question, judgement, std::nullopt)) return false;
  }
  if (!unasked_.empty()) more_to_send_ = true;  // there was no room for more of them
  unasked_.clear();
  return true;
}

void ScanEngine::learn_from_answer(HostState& host, const Question& question, PortState state,
                                   Duration took) {
  host.errors_in_a_row = 0;
  // An error by ICMP may come from a router on the way.
  if (state != PortState::open && state != PortState::closed) return;
  if (host.protocol == PortProtocol::udp && state == PortState::closed) {
    host.last_refusal = now();
    if (host.refusals++ == 0) host.first_refusal = host.last_refusal;
  }
  host.rtt.sample(took);
  stats_.rtt = host.rtt.smoothed();
  ++host.answers;
  if (host.check_port == 0 || (host.check_port_open && state == PortState::closed)) {
    host.check_port = question.port;
    host.check_port_open = state == PortState::open;
  }
  host.near = host.protocol == PortProtocol::tcp && host.answers >= kNearAnswers &&
              host.answers > host.silences && host.rtt.smoothed() < kNear;
  if (host.near && !host.near_told) {
    host.near_told = true;
    observer_.detail(fmt::format("{} answers in {}: asked without waiting, over the same few sockets",
                                 host.address.to_string(), format_duration(host.rtt.smoothed())));
  }
}

void ScanEngine::settle_check(const Question& question, const Judgement& judgement) {
  HostState& host = *question.host;
  const bool lost = judgement.kind == Kind::no_answer;
  if (lost) ++stats_.checks_lost;
  const auto finding = host.loss.count(lost, question.sent);
  if (finding == LossWatch::Finding::much) slow_down(host);
  if (finding == LossWatch::Finding::some) host.guessed_pace = false;
  if (finding == LossWatch::Finding::some || finding == LossWatch::Finding::little) host.cuts = 0;
  if (finding == LossWatch::Finding::little) speed_up(host);
  // The scan's own window only where more than one host has to share it.
  if (plan_.hosts() > 1 && loss_.count(lost, question.sent) == LossWatch::Finding::much) {
    window_.back_off();
    loss_.restart(now());
  }
}

void ScanEngine::speed_up(HostState& host) {
  if (host.pace.interval() == Duration::zero()) return;
  const double factor = host.guessed_pace ? kMuchFaster : kFaster;
  const auto interval = std::chrono::duration_cast<Duration>(host.pace.interval() / factor);
  host.pace.set_interval(interval < kNoPace ? Duration::zero() : interval);
}

void ScanEngine::slow_down(HostState& host) {
  if (host.cuts >= kMostCuts) {
    host.loss.restart(TimePoint::max());
    host.pace.set_interval(Duration::zero());
    return observer_.detail(host.address.to_string() + " loses as much when asked slowly: no pace is kept");
  }
  ++host.cuts;
  const TimePoint when = now();
  const bool paced = host.pace.interval() > Duration::zero();
  const double rate = paced ? 1 / seconds(host.pace.interval())
                            : host.sent / std::max(seconds(when - host.loss.since()), 1e-3);
  // Half of some checks may be lost by chance: only more than that says how much slower it must be.
  const double share = host.loss.answered();
  host.guessed_pace = !paced || share < 0.5;
  const double factor = host.guessed_pace ? std::max(share, kLeastShare) : kSlower;
  const double answered = std::max(rate * factor, kSlowest);
  // From then on it is the pace that counts: what is lost fills a window for as long as it is waited for.
  if (!paced) host.window.back_off();
  host.pace.set_interval(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / answered)));
  host.loss.restart(when);
  host.sent = 0;
  observer_.detail(fmt::format("{} loses too much: {} probes a second from now on", host.address.to_string(),
                               format_count(static_cast<std::uint64_t>(answered))));
}

void ScanEngine::ask_canaries(HostState& host) {
  host.canary = CanaryState::asked;
  for (const std::uint16_t port : canary_ports(plan_, host.index, limits_.seed)) {
    ++host.canaries_out;
    urgent_.push_back({.host = &host, .port = port, .purpose = Purpose::canary});
  }
}

bool ScanEngine::settle_canary(const Question& question, const Judgement& judgement) {
  HostState& host = *question.host;
  if (judgement.kind == Kind::to_itself && question.to_itself < kMostToItself) {
    urgent_.push_back(question);
    ++urgent_.back().to_itself;
    return true;
  }
  if (judgement.kind != Kind::verdict || judgement.state != PortState::open) host.canary_unanswered = true;
  if (--host.canaries_out > 0) return true;
  host.canary = host.canary_unanswered ? CanaryState::clear : CanaryState::suspect;
  if (host.canary == CanaryState::suspect)
    observer_.detail(host.address.to_string() + " answers on ports where nobody should listen: suspect");
  return desk_.canaries_known(host);
}

void ScanEngine::count_fault(HostState& host) {
  if (++host.errors_in_a_row < kMostFaults || host.given_up) return;
  host.given_up = true;
  given_up_.push_back(host.address);
}

bool ScanEngine::report(const Question& question, const Judgement& judgement, std::optional<Duration> rtt) {
  HostState& host = *question.host;
  const unsigned tries = question.waiting.tries;
  if (rtt) {
    ++stats_.answers;
    // An ICMP error comes late by a limit of its sender, or by a look-up of the neighbour, more often than by
    // a loss.
    const bool tells = host.protocol == PortProtocol::tcp ? judgement.state != PortState::filtered
                                                          : judgement.state == PortState::open;
    if (tells && tries > 1) ++stats_.late_answers;
    if (tells && tries > 0) ++stats_.answers_at[std::min<std::size_t>(tries, kMostTries) - 1];
  } else if (judgement.kind == Kind::no_answer) {
    ++stats_.silent;
    stats_.least_tries = stats_.silent == 1 ? tries : std::min(stats_.least_tries, tries);
  }
  const bool open = judgement.state == PortState::open;
  if (open && limits_.canaries && host.canary == CanaryState::unasked && host.protocol == PortProtocol::tcp)
    ask_canaries(host);
  std::string reason = judgement.reason;
  if (judgement.kind == Kind::no_answer && host.icmp_limited) reason += "; it limits its ICMP errors";
  return desk_.take(host, {.address = host.address,
                           .port = question.port,
                           .protocol = host.protocol,
                           .state = judgement.state,
                           .reason = std::move(reason),
                           .rtt = rtt,
                           .tries = tries,
                           .index = question.waiting.index});
}

}  // namespace pier
