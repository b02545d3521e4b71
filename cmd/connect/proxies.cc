#include "cmd/connect/proxies.h"

#include <algorithm>
#include <cstdlib>

#include "net/cidr.h"
#include "proxy/http_head.h"

namespace pier::client {
namespace {

constexpr std::string_view kForms = "socks5://, socks4a://, http:// or https:// with HOST[:PORT] fits";

struct Scheme {
  std::string_view name;
  Proxy::Kind kind;
  bool tls;
  std::uint16_t port;  // where none is given: what the field has settled on
};
constexpr Scheme kSchemes[] = {{"socks5", Proxy::Kind::socks5, false, 1080},
                               {"socks5h", Proxy::Kind::socks5, false, 1080},
                               {"socks4a", Proxy::Kind::socks4a, false, 1080},
                               {"http", Proxy::Kind::http, false, 3128},
                               {"https", Proxy::Kind::http, true, 443}};

std::string_view scheme_of(const Proxy& proxy) {
  const auto found = std::ranges::find_if(
      kSchemes, [&](const Scheme& one) { return one.kind == proxy.kind && one.tls == proxy.tls; });
  return found->name;
}

// Without what stands before the '@', which may hold a password and is not shown again.
std::unexpected<Error> refuse_user(std::string_view scheme, std::string_view place, std::string_view why) {
  return usage_error("--proxy", std::string(scheme) + "://***@" + std::string(place), why);
}

bool has_port(std::string_view place) {
  const std::size_t bracket = place.rfind(']');
  return place.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
}

Result<Proxy> parse_proxy(const std::string& text) {
  const std::size_t slashes = text.find("://");
  const std::string_view name = slashes == std::string::npos ? "" : std::string_view(text).substr(0, slashes);
  const auto* const scheme = std::ranges::find(kSchemes, name, &Scheme::name);
  if (scheme == std::end(kSchemes)) {
    if (text.find('@') != std::string::npos)
      return refuse_user("…", std::string_view(text).substr(text.rfind('@') + 1), kForms);
    return usage_error("--proxy", text, kForms);
  }
  std::string_view place = std::string_view(text).substr(slashes + 3);
  while (place.ends_with('/')) place.remove_suffix(1);
  Proxy proxy{.kind = scheme->kind, .tls = scheme->tls};
  if (const std::size_t at = place.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = place.substr(0, at);
    place.remove_prefix(at + 1);
    if (user.find(':') != std::string_view::npos)
      return refuse_user(name, place, "a password has no place in a URL: --proxy-auth-file FILE");
    if (proxy.kind != Proxy::Kind::socks4a)
      return refuse_user(name, place, "a name stands with its password in --proxy-auth-file FILE");
    proxy.user = user;
  }
  std::string word(place);
  if (!has_port(place)) word += ":" + std::to_string(scheme->port);
  auto endpoint = parse_endpoint(std::vector{word}, {});
  if (!endpoint) return std::unexpected(endpoint.error());
  if (endpoint->transport != Transport::tcp || endpoint->host.empty())
    return usage_error("--proxy", text, kForms);
  proxy.endpoint = std::move(*endpoint);
  return proxy;
}

// The lower-case name counts first, as with curl.
std::string environment(std::string_view lower, std::string_view upper) {
  for (const std::string_view name : {lower, upper}) {
    const char* const value = std::getenv(std::string(name).c_str());
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  std::string item;
  for (const char c : list + ",") {
    if (c != ',' && c != ' ') {
      item += c;
      continue;
    }
    if (!item.empty()) items.push_back(std::move(item));
    item.clear();
  }
  return items;
}

// An item of NO_PROXY: `*`, an address, a CIDR, or a name with all that ends in it.
bool names(const std::string& item, const std::string& host) {
  if (item == "*") return true;
  if (const auto address = IpAddress::parse(host)) {
    if (const auto cidr = Cidr::parse(item)) return cidr->contains(*address);
    return false;
  }
  const std::string_view name =
      item.starts_with('.') ? std::string_view(item).substr(1) : std::string_view(item);
  if (host.size() <= name.size()) return same_without_case(host, name);
  const std::size_t dot = host.size() - name.size() - 1;
  return host[dot] == '.' && same_without_case(std::string_view(host).substr(dot + 1), name);
}

Result<void> take_proxies(const Parsed& args, WayPlan& way) {
  std::vector<std::string> texts = args.texts("proxy");
  if (std::ranges::find(texts, "env") != texts.end()) {
    if (texts.size() > 1)
      return usage_error("--proxy", "env", "the environment names one proxy, which is no part of a chain");
    texts = split(environment("all_proxy", "ALL_PROXY"));
    way.without_proxy = split(environment("no_proxy", "NO_PROXY"));
  }
  for (const std::string& text : texts) {
    auto proxy = parse_proxy(text);
    if (!proxy) return std::unexpected(proxy.error());
    way.proxies.push_back(std::move(*proxy));
  }
  return {};
}

}  // namespace

std::string Proxy::to_string() const {
  return std::string(scheme_of(*this)) + "://" + endpoint.to_string();
}

std::span<const Proxy> WayPlan::to(const Endpoint& endpoint) const {
  const bool direct =
      std::ranges::any_of(without_proxy, [&](const std::string& item) { return names(item, endpoint.host); });
  return direct ? std::span<const Proxy>() : proxies;
}

const Endpoint& WayPlan::first_stop(const Endpoint& endpoint) const {
  const auto on_the_way = to(endpoint);
  return on_the_way.empty() ? endpoint : on_the_way.front().endpoint;
}

Result<WayPlan> way_of(const Parsed& args) {
  WayPlan way;
  if (const auto taken = take_proxies(args, way); !taken) return std::unexpected(taken.error());
  way.credentials = args.text("proxy-auth-file");
  if (way.credentials && !args.has("proxy"))
    return usage_error("--proxy-auth-file", *way.credentials, "there is no --proxy to say it to");
  const auto has_password = [](const Proxy& proxy) { return proxy.kind != Proxy::Kind::socks4a; };
  if (way.credentials && !way.proxies.empty() && std::ranges::none_of(way.proxies, has_password))
    return usage_error("--proxy-auth-file", *way.credentials,
                       "SOCKS 4a has no passwords: socks4a://USER@HOST says a name");
  if (const auto version = args.text("send-proxy")) way.send_proxy = *version == "v1" ? 1U : 2U;
  if (const auto protocol = args.text("starttls")) way.starttls = parse_starttls(*protocol);
  return way;
}

Result<void> check_way(const WayPlan& way, const Endpoint& endpoint, bool no_session) {
  const bool datagrams = is_datagram(endpoint.transport);
  if (way.send_proxy && datagrams)
    return usage_error("--send-proxy", endpoint.to_string(), "its header stands in front of a stream");
  const auto proxies = way.to(endpoint);
  if (proxies.empty()) return {};
  const std::string name = proxies.back().to_string();
  if (endpoint.transport == Transport::tcp) return {};
  if (endpoint.transport != Transport::udp)
    return usage_error("--proxy", name, "a proxy leads to hosts, and not to " + endpoint.to_string());
  if (proxies.size() > 1 || proxies.front().kind != Proxy::Kind::socks5)
    return usage_error("--proxy", name, "datagrams pass through one SOCKS 5 proxy, and no other way");
  if (no_session)
    return usage_error("--proxy", name,
                       "datagrams pass through it between a server and stdin and stdout only");
  return {};
}

}  // namespace pier::client
