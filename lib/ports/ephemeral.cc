#include "ports/ephemeral.h"

#include <fcntl.h>

#include <optional>
#include <string_view>

#include "base/fd.h"
#include "base/number.h"

namespace pier {
namespace {

std::optional<std::string> read_setting(const std::string& root, std::string_view name) {
  const std::string path = root + "/" + std::string(name);
  const Fd file(retry_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.valid()) return std::nullopt;
  // The largest of the three, a list of reserved ports, is far below this; a file that is larger is not one
  // of the kernel's.
  constexpr std::size_t kMost = 1 << 20;
  std::string text;
  char block[1024];
  for (;;) {
    const ssize_t got = retry_eintr([&] { return ::read(file.get(), block, sizeof block); });
    if (got < 0 || text.size() > kMost) return std::nullopt;
    if (got == 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

// `first SEPARATOR last`, strictly.
std::optional<PortRange> parse_range(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const auto first = parse_port_number(text.substr(0, at));
  const auto last = parse_port_number(text.substr(at + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{*first, *last};
}

// "8080,9000-9100", or empty for none.
std::optional<std::vector<PortRange>> parse_reserved(std::string_view text) {
  std::vector<PortRange> ranges;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (comma != std::string_view::npos && text.empty()) return std::nullopt;
    if (const auto port = parse_port_number(item))
      ranges.push_back({*port, *port});
    else if (const auto range = parse_range(item, '-'))
      ranges.push_back(*range);
    else
      return std::nullopt;
    if (ranges.size() > 1 && ranges[ranges.size() - 2].last >= ranges.back().first) return std::nullopt;
  }
  return ranges;
}

}  // namespace

bool HostPorts::is_reserved(std::uint16_t port) const {
  for (const PortRange& range : reserved)
    if (range.contains(port)) return true;
  return false;
}

HostPorts read_host_ports(const std::string& root) {
  HostPorts host;
  if (const auto text = read_setting(root, "ip_local_port_range"))
    if (const auto range = parse_range(*text, '\t')) {
      host.ephemeral = *range;
      host.ephemeral_known = true;
    }
  if (const auto text = read_setting(root, "ip_local_reserved_ports"))
    if (auto ranges = parse_reserved(*text)) {
      host.reserved = std::move(*ranges);
      host.reserved_known = true;
    }
  if (const auto text = read_setting(root, "ip_unprivileged_port_start"))
    if (const auto start = parse_port_number(*text)) {
      host.unprivileged_start = *start;
      host.unprivileged_known = true;
    }
  return host;
}

}  // namespace pier
