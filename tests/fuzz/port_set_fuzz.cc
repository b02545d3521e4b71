// The grammar of port sets: what is accepted comes back from its own text, what is refused says so in one
// line.
#include <cstdlib>

#include "ports/port_query.h"
#include "ports/port_set.h"

namespace {

using namespace pier;

void demand(bool holds) {
  if (!holds) std::abort();
}

// Whether the text is accepted.
bool check(std::string_view text, const PortSetRules& rules) {
  const auto set = parse_port_set(text, rules);
  if (!set) {
    const std::string message = set.error().message();
    demand(set.error().kind == ErrorKind::usage);
    demand(!message.empty() && message.find('\n') == std::string::npos);
    return false;
  }
  demand(!set->empty());
  const auto again = parse_port_set(set->to_string(rules.unqualified), rules);
  demand(again && *again == *set);
  std::size_t pairs = 0;
  for (const PortProtocol protocol : kPortProtocols) {
    demand(rules.port_zero || !set->contains(protocol, 0));
    demand(rules.allowed.contains(protocol) || set->size(protocol) == 0);
    for (const PortRange range : set->ranges(protocol)) pairs += 1U + range.last - range.first;
  }
  demand(pairs == set->size());
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Classify accepts whatever scan does, and more.
  const bool classified =
      check(text, {.unqualified = kTcpAndUdp, .allowed = kEveryPortProtocol, .port_zero = true});
  if (!classified) return 0;
  check(text, {});
  const auto query = PortQuery::parse(text);
  demand(query.has_value());
  bool some = false;
  query->for_each([&](std::uint16_t, PortProtocol) { some = true; });
  demand(some);
  return 0;
}
