#include "net/targets.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace pier {
namespace {

Result<std::string> read_all(int fd, const std::string& name) {
  std::string text;
  char block[64 * 1024];
  for (;;) {
    const ssize_t n = retry_eintr([&] { return ::read(fd, block, sizeof block); });
    if (n < 0) return system_error("read", name, errno, ErrorKind::local);
    if (n == 0) return text;
    text.append(block, static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<void> TargetLists::read_one(const std::string& word, TargetSpec& into) {
  if (word == "-") {
    if (stdin_read_) return usage_error("target", word, "standard input can be read once only");
    stdin_read_ = true;
    if (::isatty(stdin_fd_) != 0) on_terminal_();
    const auto text = read_all(stdin_fd_, "standard input");
    return text ? parse_target_file(*text, "standard input", into) : std::unexpected(text.error());
  }
  if (!word.starts_with('@')) return parse_target_words(word, into);
  const std::string path = word.substr(1);
  if (path.empty()) return usage_error("target", word, "a file follows the @, as in @hosts.txt");
  const Fd file(retry_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.valid()) return system_error("open", quoted(path), errno, ErrorKind::local);
  const auto text = read_all(file.get(), quoted(path));
  return text ? parse_target_file(*text, path, into) : std::unexpected(text.error());
}

Result<TargetSpec> TargetLists::read(std::span<const std::string> words) {
  TargetSpec spec;
  for (const std::string& word : words)
    if (const auto done = read_one(word, spec); !done) return std::unexpected(done.error());
  return spec;
}

Result<TargetSet> TargetSet::make(const TargetSpec& wanted, const TargetSpec& excluded,
                                  const NameLookup& lookup) {
  TargetSet set;
  std::vector<AddressRange> ranges = wanted.ranges;
  for (const std::string& name : wanted.names) {
    const auto addresses = lookup(name);
    if (!addresses) return std::unexpected(addresses.error());
    for (const IpAddress& address : *addresses) {
      ranges.push_back(AddressRange::of(address));
      set.names_.emplace(address.unmapped(), name);
    }
  }
  std::vector<AddressRange> holes = excluded.ranges;
  for (const std::string& name : excluded.names) {
    const auto addresses = lookup(name);
    if (!addresses) return std::unexpected(addresses.error());
    for (const IpAddress& address : *addresses) holes.push_back(AddressRange::of(address));
  }
  set.addresses_ = AddressSet(std::move(ranges)).without(AddressSet(std::move(holes)));
  return set;
}

Uint128 TargetSet::leave_out(const AddressSet& set) {
  const Uint128 before = addresses_.size();
  addresses_ = addresses_.without(set);
  return before - addresses_.size();
}

std::string TargetSet::host_of(const IpAddress& address) const {
  const auto name = names_.find(address);
  return name == names_.end() ? address.to_string() : name->second;
}

}  // namespace pier
