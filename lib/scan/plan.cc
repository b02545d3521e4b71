#include "scan/plan.h"

#include <fmt/core.h>

#include <algorithm>

namespace pier {
namespace {

// FNV-1a, 64 bits: for telling apart, not for trust.
class Fingerprint {
 public:
  void add(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) hash_ = (hash_ ^ (value >> (8 * i) & 0xff)) * 0x100000001b3U;
  }
  void add(Uint128 value) {
    add(static_cast<std::uint64_t>(value >> 64));
    add(static_cast<std::uint64_t>(value));
  }
  [[nodiscard]] std::string hex() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace

ProbePlan::ProbePlan(TargetSet targets, std::vector<Port> ports, std::uint64_t hosts, std::uint64_t seed,
                     Shard shard)
    : targets_(std::move(targets)),
      ports_(std::move(ports)),
      hosts_(hosts),
      order_(hosts * ports_.size(), seed),
      shard_(shard) {
  Fingerprint print;
  for (const AddressRange& range : targets_.addresses().ranges()) {
    print.add(static_cast<std::uint64_t>(range.family));
    print.add(range.first);
    print.add(range.last);
  }
  for (const Port& port : ports_) print.add(port.number | static_cast<std::uint64_t>(port.protocol) << 16);
  print.add(seed);
  print.add(shard_.count);
  run_id_ = print.hex();
}

Result<ProbePlan> ProbePlan::make(TargetSet targets, const PortSet& ports, std::uint64_t seed, Shard shard) {
  std::vector<Port> numbers;
  ports.for_each([&](std::uint16_t port, PortProtocol protocol) { numbers.push_back({port, protocol}); });
  const Uint128 hosts = targets.addresses().size();
  if (hosts == 0) return fail(ErrorKind::usage, "targets", "", "none is left: every one is excluded");
  if (numbers.empty()) return fail(ErrorKind::usage, "ports", "", "none is left");
  if (hosts > UINT64_MAX / numbers.size())
    return fail(ErrorKind::usage, "targets", "",
                to_string(hosts) + " hosts with " + std::to_string(numbers.size()) +
                    " ports each are more than the 2^64 - 1 pairs that one scan can have");
  return ProbePlan(std::move(targets), std::move(numbers), static_cast<std::uint64_t>(hosts), seed, shard);
}

bool ProbePlan::asks(std::uint16_t port, PortProtocol protocol) const {
  return std::ranges::binary_search(ports_, Port{port, protocol});
}

bool ProbePlan::is_one_window() const {
  return hosts_ == 1 &&
         std::ranges::all_of(ports_, [&](const Port& p) { return p.protocol == ports_[0].protocol; });
}

Pair ProbePlan::at(std::uint64_t i) const {
  const std::uint64_t number = order_.at(shard_.position(i));
  const std::uint64_t host = number / ports_.size();
  const Port& port = ports_[number % ports_.size()];
  return {targets_.addresses().at(host), port.number, port.protocol, host};
}

std::optional<std::uint64_t> ProbePlan::index_of(const IpAddress& address, std::uint16_t port,
                                                 PortProtocol protocol) const {
  const auto host = targets_.addresses().index_of(address);
  const auto at = std::ranges::lower_bound(ports_, Port{port, protocol});
  if (!host || at == ports_.end() || *at != Port{port, protocol}) return std::nullopt;
  const std::uint64_t number =
      static_cast<std::uint64_t>(*host) * ports_.size() + static_cast<std::uint64_t>(at - ports_.begin());
  return shard_.index_of(order_.position_of(number));
}

}  // namespace pier
