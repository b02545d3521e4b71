#include "net/host_name.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "net/address.h"

namespace pier {
namespace {

constexpr std::size_t kMostName = 253;
constexpr std::size_t kMostLabel = 63;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

// The first character that no host name has, as one UTF-8 sequence or one byte; empty when all fit.
std::string_view misfit(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0 || (length == 1 && !is_name_byte(text[i]))) return text.substr(i, 1);
    i += length;
  }
  return {};
}

Result<void> check_labels(std::string_view host, std::string_view name) {
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (end == begin) return usage_error("host", host, "has an empty part between its dots");
    if (end - begin > kMostLabel)
      return usage_error("host", host, "a part between dots is longer than the 63 bytes a name allows");
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<void> check_host(std::string_view host) {
  if (host.empty()) return usage_error("host", host, "empty: a name or an address is needed");
  if (host.find(':') != std::string_view::npos) {
    const auto address = IpAddress::parse(host);
    if (!address) return usage_error("host", host, address.error().why);
    return {};
  }
  if (looks_like_ipv4(host)) {
    if (IpAddress::parse(host)) return {};
    return usage_error("host", host,
                       "looks like an IPv4 address and is none: that is four numbers from 0 to 255 with dots "
                       "between");
  }
  if (const std::string_view bad = misfit(host); !bad.empty())
    return usage_error("host", host, "a host name cannot have " + quoted(bad) + " in it");
  if (host.front() == '-') return usage_error("host", host, "a host name cannot begin with '-'");
  std::string_view name = host;
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMostName)
    return usage_error("host", host, "longer than the 253 bytes a host name may have");
  return check_labels(host, name);
}

}  // namespace pier
