// A network for the engine that scans by SYNs, and whoever hears of its results.
#pragma once

#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "scan/plan.h"
#include "scan/result_desk.h"
#include "scan/syn_wire.h"

namespace pier::fake {

using Kind = SynReply::Kind;

inline ProbePlan plan_of(const std::string& first, const std::string& last, const std::string& ports,
                         Shard shard = {}) {
  const IpAddress from = *IpAddress::parse(first);
  const TargetSet targets(
      AddressSet({{from.family(), 0, to_number(from), to_number(*IpAddress::parse(last))}}), {});
  return *ProbePlan::make(targets, *parse_port_set(ports, {}), 7, shard);
}

// A network that answers at once, as far as it answers.
class FakeWire : public SynWire {
 public:
  using Answer = std::function<std::optional<Kind>(const SynProbe& probe)>;
  explicit FakeWire(Answer answer) : answer_(std::move(answer)) {}

  std::size_t lanes() const override { return lanes_; }
  std::size_t room() const override { return 64 - queued_.size(); }
  void queue(const SynProbe& probe, std::vector<SynFault>& faults) override {
    if (fault(probe)) return faults.push_back({probe.tag, ENETUNREACH});
    queued_.push_back(probe);
  }
  bool flush(std::vector<SynFault>&) override {
    if (full_ > 0 && full_-- > 0) return false;
    std::size_t taken = 0;
    for (const SynProbe& probe : queued_) {
      if (pause_ && now() < next_) break;
      if (pause_) next_ = now() + *pause_;
      ++taken;
      ++sent_;
      ++tries_[{probe.address, probe.port}];
      const auto kind = answer_(probe);
      if (!kind) continue;
      for (int i = 0; i < copies_; ++i)
        answers_.push_back(
            {.kind = *kind,
             .address = probe.address,
             .port = probe.port,
             .lane = probe.lane,
             .icmp = *kind == Kind::icmp ? std::optional(IcmpError{.type = 3, .code = 13}) : std::nullopt,
             .at = now()});
    }
    queued_.erase(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(taken));
    return queued_.empty();
  }
  std::optional<Error> trouble() override {
    return trouble_after_ > 0 && sent_ >= trouble_after_ ? trouble_ : std::nullopt;
  }
  void take(std::vector<SynAnswer>& answers) override {
    answers.insert(answers.end(), answers_.begin(), answers_.end());
    answers_.clear();
  }
  std::uint64_t take_drops() override { return std::exchange(drops_, 0); }
  bool wait(const Deadline& until) override {
    if (answers_.empty() && until.at() && *until.at() > now()) std::this_thread::sleep_until(*until.at());
    return false;
  }

  std::function<bool(const SynProbe&)> fault = [](const SynProbe&) { return false; };
  std::size_t lanes_ = 8;
  int copies_ = 1;
  int full_ = 0;                   // flushes that find the queue full
  std::optional<Duration> pause_;  // between two that the queue takes
  std::uint64_t drops_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t trouble_after_ = 0;
  std::optional<Error> trouble_ = Error{ErrorKind::local, "interface", "eth0", 0, "is down"};
  std::map<std::pair<IpAddress, std::uint16_t>, unsigned> tries_;

 private:
  Answer answer_;
  std::vector<SynProbe> queued_;
  TimePoint next_ = TimePoint::min();
  std::vector<SynAnswer> answers_;
};

struct Results : ScanObserver {
  bool result(const PortResult& result) override {
    all.push_back(result);
    return wanted;
  }
  void note(std::string_view line) override { notes.emplace_back(line); }
  std::set<std::uint16_t> ports(PortState state) const {
    std::set<std::uint16_t> ports;
    for (const PortResult& r : all)
      if (r.state == state) ports.insert(r.port);
    return ports;
  }
  std::vector<PortResult> all;
  std::vector<std::string> notes;
  bool wanted = true;
};

}  // namespace pier::fake
