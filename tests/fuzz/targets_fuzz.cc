// The target grammar: whatever the text, an error that quotes it on one line, or ranges that are in order.
#include <cstdlib>

#include "net/target_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  pier::TargetSpec spec;
  if (const auto parsed = pier::parse_target_file(text, "f", spec); !parsed) {
    if (parsed.error().kind != pier::ErrorKind::usage) std::abort();
    if (parsed.error().message().find('\n') != std::string::npos) std::abort();
  }
  for (const pier::AddressRange& range : spec.ranges)
    if (range.first > range.last || range.last > pier::last_number(range.family)) std::abort();
  // Octet ranges alone may make a million runs; sorting them in every run would only slow the search.
  if (spec.ranges.size() > 4096) return 0;
  const pier::AddressSet set(spec.ranges);
  if (set.empty()) return 0;
  if (!set.contains(set.at(0)) || !set.contains(set.at(set.size() - 1))) std::abort();
  if (!set.without(set).empty()) std::abort();
  return 0;
}
