// What a scan asks, and in which order: hosts times ports, permuted, and of that this machine's share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "net/targets.h"
#include "ports/port_set.h"
#include "scan/order.h"

namespace pier {

// One question: this port of this host.
struct Pair {
  IpAddress address;
  std::uint16_t port = 0;
  PortProtocol protocol = PortProtocol::tcp;
  std::uint64_t host_index = 0;  // in the plan's targets, to tell hosts apart cheaply
};

class ProbePlan {
 public:
  // A usage error when there is nothing to ask, or more than 2^64 - 1 pairs.
  [[nodiscard]] static Result<ProbePlan> make(TargetSet targets, const PortSet& ports, std::uint64_t seed,
                                              Shard shard);

  // The pairs of this shard, and the i-th of them in probe order.
  [[nodiscard]] std::uint64_t size() const { return shard_.size(order_.size()); }
  [[nodiscard]] Pair at(std::uint64_t i) const;
  // The inverse of at(), for whom an answer comes from; nullopt where this shard does not ask that.
  [[nodiscard]] std::optional<std::uint64_t> index_of(const IpAddress& address, std::uint16_t port,
                                                      PortProtocol protocol) const;

  [[nodiscard]] const TargetSet& targets() const { return targets_; }
  // Of the whole scan, every shard of it.
  [[nodiscard]] std::uint64_t hosts() const { return hosts_; }
  [[nodiscard]] std::uint64_t ports() const { return ports_.size(); }
  // The same for the same hosts, ports, seed and number of shards, and hardly ever for others: the shards of
  // one run know each other by it. 16 hexadecimal digits.
  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  // Whether this port is asked.
  [[nodiscard]] bool asks(std::uint16_t port, PortProtocol protocol) const;
  // One host, and one transport.
  [[nodiscard]] bool is_one_window() const;

 private:
  struct Port {
    std::uint16_t number;
    PortProtocol protocol;
    friend auto operator<=>(const Port&, const Port&) = default;
  };
  ProbePlan(TargetSet targets, std::vector<Port> ports, std::uint64_t hosts, std::uint64_t seed, Shard shard);

  TargetSet targets_;
  std::vector<Port> ports_;  // ascending
  std::uint64_t hosts_;
  Permutation order_;
  Shard shard_;
  std::string run_id_;
};

}  // namespace pier
