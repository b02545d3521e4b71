#include "scan/canary.h"

#include "ports/port_class.h"
#include "scan/order.h"

namespace pier {
namespace {

constexpr std::uint16_t kFirst = 49152;
constexpr std::uint64_t kPorts = 65536 - kFirst;

}  // namespace

std::array<std::uint16_t, 2> canary_ports(const ProbePlan& plan, std::uint64_t host_index,
                                          std::uint64_t seed) {
  const Permutation order(kPorts, seed ^ (host_index + 1) * 0x9e3779b97f4a7c15U);  // any odd number spreads
  const auto port_at = [&](std::uint64_t i) { return static_cast<std::uint16_t>(kFirst + order.at(i)); };
  std::array<std::uint16_t, 2> ports{port_at(0), port_at(1)};
  std::size_t found = 0;
  constexpr std::uint64_t kLooks = 64;
  for (std::uint64_t i = 0; i < kLooks && found < ports.size(); ++i)
    if (!plan.asks(port_at(i), PortProtocol::tcp)) ports[found++] = port_at(i);
  if (found < ports.size()) return {port_at(0), port_at(1)};
  return ports;
}

}  // namespace pier
