#include "cmd/connect/endpoints.h"

#include <algorithm>

#include "cmd/session.h"
#include "ports/port_set.h"

namespace pier::client {
namespace {

// Text that can only be meant as several ports: "80,443", "8000-8010", "T:53", "!22". A service name may have
// a dash too, but then something else than digits.
bool is_like_a_set(std::string_view text) {
  if (text.find(',') != std::string_view::npos || text.starts_with('!')) return true;
  if (text.starts_with("T:") || text.starts_with("U:")) return true;
  return text.find('-') != std::string_view::npos &&
         std::ranges::all_of(text, [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
}

// A word as host and ports: "[::1]:80,81" or "tcp://db:80,81" before and after the colon; without a host,
// nothing and all of it.
struct Split {
  std::string before;  // with the colon
  std::string ports;
};
Split split(const std::string& word) {
  for (const std::string_view other : {"unix:", "unix-dgram:", "vsock:"})
    if (word.starts_with(other)) return {word, ""};
  const std::size_t scheme = word.find("://");
  std::size_t from = scheme == std::string::npos ? 0 : scheme + 3;
  if (word.compare(from, 1, "[") == 0) from = std::min(word.find(']', from), word.size());
  const std::size_t colon = word.find(':', from);
  // "T:53,U:53" alone: a host of one letter has no port of that kind.
  if (colon == std::string::npos || is_like_a_set(word)) {
    const bool bare = scheme == std::string::npos && (colon == std::string::npos || colon == 1);
    if (bare) return {"", word};
    if (colon == std::string::npos) return {word, ""};
  }
  const std::string ports = word.substr(colon + 1);
  if (scheme != std::string::npos && ports.find('/') != std::string::npos) return {word, ""};  // a URL's path
  return {word.substr(0, colon + 1), ports};
}

class Reader {
 public:
  explicit Reader(const Parsed& args) : args_(args), rules_{.services = registry_names()} {
    rules_.services.nearest =
        nullptr;  // what a word is like is asked of many: no service near to what it is not
  }

  Result<std::vector<Endpoint>> read();

 private:
  Result<void> add(std::span<const std::string> words);
  Result<void> add_set(const Split& split);
  [[nodiscard]] bool is_pair(std::span<const std::string> words) const;

  const Parsed& args_;
  EndpointRules rules_;
  std::vector<Endpoint> endpoints_;
};

Result<void> Reader::add(std::span<const std::string> words) {
  if (words.size() == 2 && is_like_a_set(words[1])) {
    const bool bare_ipv6 = words[0].find(':') != std::string::npos && !words[0].starts_with('[');
    return add_set({(bare_ipv6 ? "[" + words[0] + "]" : words[0]) + ":", words[1]});
  }
  if (words.size() == 1 && !args_.has("unix")) {
    const Split parts = split(words[0]);
    if (is_like_a_set(parts.ports)) return add_set(parts);
  }
  auto endpoint = endpoint_of(words, args_, false);
  if (!endpoint) return std::unexpected(endpoint.error());
  endpoints_.push_back(std::move(*endpoint));
  return {};
}

Result<void> Reader::add_set(const Split& split) {
  const bool udp = args_.has("udp") || split.before.starts_with("udp://");
  const auto ports =
      parse_port_set(split.ports, {.unqualified = udp ? PortProtocol::udp : PortProtocol::tcp});
  if (!ports) return std::unexpected(ports.error());
  Result<void> result;
  ports->for_each([&](std::uint16_t port, PortProtocol protocol) {
    if (!result) return;
    const std::vector<std::string> word{split.before + std::to_string(port)};
    auto endpoint = endpoint_of(word, args_, false);
    if (!endpoint) {
      result = std::unexpected(endpoint.error());
      return;
    }
    endpoint->transport = protocol == PortProtocol::udp ? Transport::udp : Transport::tcp;
    endpoints_.push_back(std::move(*endpoint));
  });
  return result;
}

bool Reader::is_pair(std::span<const std::string> words) const {
  if (words.size() < 2 || words[0].find("://") != std::string::npos || args_.has("unix")) return false;
  if (parse_endpoint(words.first(1), rules_) || is_like_a_set(split(words[0]).ports)) return false;
  return is_like_a_set(words[1]) || parse_port(words[1], rules_).has_value();
}

Result<std::vector<Endpoint>> Reader::read() {
  std::span<const std::string> words = args_.operands;
  while (!words.empty()) {
    const std::size_t count = is_pair(words) ? 2 : 1;
    if (const auto added = add(words.first(count)); !added) return std::unexpected(added.error());
    words = words.subspan(count);
  }
  return std::move(endpoints_);
}

}  // namespace

Result<std::vector<Endpoint>> endpoints_of(const Parsed& args) {
  if (args.operands.empty())
    return fail(ErrorKind::usage, "no endpoint", "", "give HOST PORT, HOST:PORT or unix:PATH");
  if (args.has("check") || args.has("wait") || args.has("until-closed")) return Reader(args).read();
  auto endpoint = endpoint_of(args.operands, args, false);
  if (!endpoint) return std::unexpected(endpoint.error());
  return std::vector{std::move(*endpoint)};
}

}  // namespace pier::client
