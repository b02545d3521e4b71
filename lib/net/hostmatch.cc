#include "net/hostmatch.h"

#include <iterator>

namespace pier {
namespace {

bool is_in(const AddressSet& set, const IpAddress& address) {
  if (set.contains(address)) return true;
  return address.zone() != 0 && set.contains(IpAddress(address.family(), address.bytes()));
}

// The grammar speaks of targets.
Error under(std::string_view option, Error error) {
  constexpr std::string_view kTarget = "target";
  if (error.kind == ErrorKind::usage && error.op.ends_with(kTarget))
    error.op.replace(error.op.size() - kTarget.size(), kTarget.size(), option);
  return error;
}

}  // namespace

Result<AddressSet> read_host_list(std::string_view option, std::span<const std::string> words,
                                  const NameLookup& lookup, std::vector<std::string>& notes) {
  for (const std::string& word : words)
    if (word == "-") return usage_error(option, word, "a list is read from a file, as in @hosts.txt");
  TargetLists lists(-1, nullptr);
  auto spec = lists.read(words);
  if (!spec) return std::unexpected(under(option, spec.error()));
  notes.insert(notes.end(), std::make_move_iterator(spec->notes.begin()),
               std::make_move_iterator(spec->notes.end()));
  auto set = TargetSet::make(*spec, {}, lookup);
  if (!set) return std::unexpected(set.error());
  return set->addresses();
}

bool HostRules::admit(const IpAddress& address) const {
  return !is_in(denied_, address) && (!allowed_ || is_in(*allowed_, address));
}

}  // namespace pier
