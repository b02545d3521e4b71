#include "ports/port_query.h"

#include "base/suggest.h"
#include "ports/services.h"

namespace pier {
namespace {

// In a function of its own: a set is 32 KiB, and the stack for it is touched where one is really parsed.
[[gnu::noinline]] Result<std::unique_ptr<const PortSet>> parse_set(std::string_view text) {
  auto set =
      parse_port_set(text, {.unqualified = kTcpAndUdp, .allowed = kEveryPortProtocol, .port_zero = true});
  if (!set) return std::unexpected(set.error());
  return std::make_unique<const PortSet>(*std::move(set));
}

}  // namespace

Result<PortQuery> PortQuery::parse(std::string_view text) {
  PortQuery query;
  const std::size_t slash = text.find('/');
  std::string_view numbers = text.substr(0, slash);
  PortProtocols protocols = kTcpAndUdp;
  if (slash != std::string_view::npos) {
    if (const auto named = parse_port_protocol(text.substr(slash + 1)))
      protocols = *named;
    else
      numbers = {};
  }
  if (!numbers.empty() && numbers.find_first_not_of("0123456789-") == std::string_view::npos) {
    const auto range = parse_port_range(numbers, true);
    if (!range) return std::unexpected(range.error());
    query.range_ = *range;
    query.protocols_ = protocols;
    return query;
  }
  query.places_ = resolve_service(text);
  if (!query.places_.empty()) return query;
  auto set = parse_set(text);
  if (!set) return std::unexpected(set.error());
  query.set_ = *std::move(set);
  return query;
}

std::string PortQuery::meant(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  const bool suffixed =
      slash != std::string_view::npos && parse_port_protocol(text.substr(slash + 1)).has_value();
  const std::string_view word = suffixed ? text.substr(0, slash) : text;
  if (!nearest(word, kPortSetWords).empty()) return {};
  std::string name = meant_service(word);
  if (!name.empty() && suffixed) name += text.substr(slash);
  return name;
}

}  // namespace pier
