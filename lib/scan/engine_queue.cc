// What the engine asks next.
#include <fmt/core.h>

#include <algorithm>

#include "base/number.h"
#include "scan/engine.h"

namespace pier {
namespace {

// Where more ports than these wait for their retry, retries go first: the queue must not grow with the scan.
constexpr std::size_t kMostLate = std::size_t{1} << 18;
// Questions taken from the plan whose host has no room yet. A host a thousand times slower than the others
// does not hold them up before so many of its own wait.
constexpr std::size_t kMostDeferred = std::size_t{1} << 18;
// How far the plan is looked through for a host with room before something else is done.
constexpr int kMostLooks = 256;
// The first window of a host: what a browser may open to one page's hosts. A local network takes it at once.
constexpr std::size_t kFirstHostWindow = 32;
// A host has one queue of datagrams for all its ports, and its kernel drops what it cannot take.
constexpr std::size_t kMostUdpWindow = 128;
// Linux sends one ICMP error a second to each host, after a burst of six (icmp(7), icmp_ratelimit); others
// send more. As many silent ports are asked at that pace without being told to by --retries.
constexpr std::uint32_t kIcmpBurst = 6;
constexpr Duration kIcmpInterval = std::chrono::milliseconds(1020);
constexpr Duration kLeastIcmpInterval = std::chrono::milliseconds(5);
constexpr std::uint32_t kMostAtIcmpPace = 128;
// The rounds after these are slow: what still does not answer may be held up by going fast.
constexpr unsigned kFastRounds = 2;
constexpr std::size_t kSlower = 4;
// Verdicts of silence between two looks at what has ended.
constexpr std::size_t kMostUnasked = 1024;

// How often a port that has answered is asked again while others are silent: for every second silence, and at
// about every 32nd probe at most; at every 8th while the host is asked more slowly. One that is open serves
// somebody, and is left in peace but for four times a second.
constexpr std::uint32_t kProbesPerCheck = 32;
constexpr std::uint32_t kProbesPerCheckPaced = 8;
constexpr std::uint32_t kSilencesPerCheck = 2;
constexpr Duration kBetweenOpenChecks = std::chrono::milliseconds(250);

}  // namespace

HostState& ScanEngine::host_of(const Pair& pair) {
  const std::uint64_t key = pair.host_index * 2 + (pair.protocol == PortProtocol::udp ? 1 : 0);
  const auto [place, is_new] = hosts_.try_emplace(key);
  HostState& host = place->second;
  if (is_new) {
    host.address = pair.address;
    host.protocol = pair.protocol;
    host.index = pair.host_index;
    const std::size_t most = host.protocol == PortProtocol::tcp ? limits_.window : kMostUdpWindow;
    host.window = Window(kFirstHostWindow, std::min(limits_.window, most));
  }
  return host;
}

bool ScanEngine::is_slow_round() const {
  return next_ == plan_.size() && !late_.empty() && late_.front().waiting.tries >= kFastRounds;
}

bool ScanEngine::has_room(HostState& host, unsigned tries) {
  const std::size_t room = tries >= kFastRounds ? host.window.size() / kSlower : host.window.size();
  if (host.in_flight >= std::max<std::size_t>(room, 1)) return false;
  if (host.pace.interval() == Duration::zero()) return true;
  const TimePoint when = now();
  if (host.pace.allows(when)) return true;
  if (!host.in_paced) {
    host.in_paced = true;
    paced_.push({host.pace.next(when), &host});
  }
  return false;
}

void ScanEngine::resume_paced(TimePoint when) {
  while (!paced_.empty() && paced_.top().at <= when) {
    HostState& host = *paced_.top().host;
    paced_.pop();
    host.in_paced = false;
    mark_ready(host);
  }
}

void ScanEngine::check_for_loss(HostState& host) {
  if (host.check_port == 0 || host.protocol != PortProtocol::tcp) return;
  const bool unpaced = host.pace.interval() == Duration::zero();
  if (unpaced && host.checks * kSilencesPerCheck >= host.silences) return;
  if (host.until_check > 0) {
    --host.until_check;
    return;
  }
  if (host.check_port_open) {
    const TimePoint when = now();
    if (when < host.next_open_check) return;
    host.next_open_check = when + kBetweenOpenChecks;
  }
  // Not at the same place of every burst, which may be one where nothing gets lost.
  const std::uint32_t apart = unpaced ? kProbesPerCheck : kProbesPerCheckPaced;
  host.until_check = apart / 2 + static_cast<std::uint32_t>(chance_() % apart);
  ++host.checks;
  urgent_.push_back({.host = &host, .port = host.check_port, .purpose = Purpose::check});
}

void ScanEngine::mark_ready(HostState& host) {
  if (host.in_ready || host.deferred.empty() || !has_room(host, 0)) return;
  host.in_ready = true;
  ready_.push_back(&host);
}

void ScanEngine::defer(HostState& host, Waiting waiting) {
  pool_.push(host.deferred, waiting);
  mark_ready(host);
}

ScanEngine::Question ScanEngine::question_of(Waiting waiting) {
  const Pair pair = plan_.at(waiting.index);
  return {.waiting = waiting, .host = &host_of(pair), .port = pair.port};
}

std::optional<ScanEngine::Question> ScanEngine::take_question(TimePoint when) {
  if (!urgent_.empty()) {
    const Question question = urgent_.front();
    urgent_.pop_front();
    return question;
  }
  resume_paced(when);
  if (auto question = take_ready()) return question;
  if (late_.size() < kMostLate)
    if (auto question = take_new()) return question;
  if (next_ == plan_.size() || late_.size() >= kMostLate) return take_late(when);
  return std::nullopt;
}

// When the first round is through: a host that refused some and left most unanswered has reached its limit,
// and refuses more only when it is asked as slowly as that.
void ScanEngine::judge_icmp_limit(HostState& host) {
  host.icmp_limited = host.refusals > 0 && host.silences > host.refusals && host.silences >= kIcmpBurst;
  if (!host.icmp_limited) return;
  Duration interval = kIcmpInterval;
  if (host.refusals > kIcmpBurst)
    interval = std::clamp(Duration((host.last_refusal - host.first_refusal) / (host.refusals - kIcmpBurst)),
                          kLeastIcmpInterval, kIcmpInterval);
  const std::string name = host.address.to_string();
  const std::string time = format_duration(interval * host.silences);
  if (limits_.retries || host.silences <= kMostAtIcmpPace) {
    host.pace.set_interval(interval);
    observer_.detail(fmt::format("{} limits its ICMP errors: asked once in {} from now on, {} a round", name,
                                 format_duration(interval), time));
  } else {
    host.left_at_icmp_limit = true;
    observer_.note(
        fmt::format("{} limits its ICMP errors, so {} silent ports may be closed or not; --retries 1 "
                    "asks them as slowly as it answers, about {}",
                    name, format_count(host.silences), time));
  }
}

// Each host with room in turn, one question at a time.
std::optional<ScanEngine::Question> ScanEngine::take_ready() {
  while (!ready_.empty()) {
    HostState& host = *ready_.front();
    ready_.pop_front();
    host.in_ready = false;
    if (host.deferred.empty() || !has_room(host, pool_.front(host.deferred).tries)) continue;
    Question question = question_of(pool_.pop(host.deferred));
    // One more will be in flight than now.
    if (!host.deferred.empty() && host.in_flight + 1 < host.window.size() && has_room(host, 0)) {
      host.in_ready = true;
      ready_.push_back(&host);
    }
    return question;
  }
  return std::nullopt;
}

std::optional<ScanEngine::Question> ScanEngine::take_new() {
  for (int looks = 0; looks < kMostLooks && next_ < plan_.size(); ++looks) {
    const Pair pair = plan_.at(next_);
    HostState& host = host_of(pair);
    const Waiting waiting{next_, 0};
    if (has_room(host, 0)) {
      ++next_;
      return Question{.waiting = waiting, .host = &host, .port = pair.port};
    }
    // There is nobody else to go on with.
    if (plan_.is_one_window() || pool_.size() >= kMostDeferred) return std::nullopt;
    ++next_;
    defer(host, waiting);
  }
  return std::nullopt;
}

bool ScanEngine::worth_another(unsigned tries, PortProtocol protocol) const {
  if (limits_.retries) return tries <= *limits_.retries;
  if (tries < kFastRounds) return true;
  if (tries > kMostRounds) return false;
  // What a refusal less says of a datagram depends on the host's limit, not on what gets lost.
  if (protocol == PortProtocol::udp) return false;
  if (stats_.answers == 0) return tries == kFastRounds;
  return stats_.answers_at[tries - 1] > 0;
}

// Whether another round is worth it shows when the last one is through.
std::optional<ScanEngine::Question> ScanEngine::take_late(TimePoint when) {
  while (!late_.empty() && unasked_.size() < kMostUnasked) {
    const Late late = late_.front();
    if (late.not_before > when) return std::nullopt;
    const bool through = in_flight_at_[late.waiting.tries] == 0 && pool_.size() == 0;
    if (!limits_.retries && late.waiting.tries >= kFastRounds && !through) return std::nullopt;
    const Question question = question_of(late.waiting);
    if (question.host->protocol == PortProtocol::udp && !question.host->icmp_limited)
      judge_icmp_limit(*question.host);
    const bool again =
        !question.host->left_at_icmp_limit && worth_another(late.waiting.tries, question.host->protocol);
    const bool room = again && has_room(*question.host, late.waiting.tries);
    if (again && !room && plan_.is_one_window()) return std::nullopt;
    late_.pop_front();
    if (room) return question;
    if (again)
      defer(*question.host, late.waiting);
    else
      unasked_.push_back(question);
  }
  return std::nullopt;
}

}  // namespace pier
