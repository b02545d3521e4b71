#include "net/endpoint.h"

#include <algorithm>
#include <string>

#include "base/number.h"
#include "base/suggest.h"
#include "net/address.h"
#include "net/host_name.h"

namespace pier {
namespace {

constexpr std::string_view kForms =
    "HOST PORT, HOST:PORT, [IPV6]:PORT, :PORT, PORT, unix:PATH or SCHEME://HOST:PORT";
constexpr std::string_view kOwnSchemes[] = {"tcp", "udp", "tls", "unix", "unix-dgram"};  // add yours here

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  });
}

std::string did_you_mean(std::string_view name) {
  return name.empty() ? std::string() : "; did you mean " + quoted(name) + "?";
}

std::string nearest_service(std::string_view name, const EndpointRules& rules) {
  return rules.services.nearest == nullptr ? std::string() : rules.services.nearest(name);
}

std::string_view protocol(const EndpointRules& rules) {
  return rules.transport == Transport::udp ? "udp" : "tcp";
}

std::optional<std::uint16_t> service_port(std::string_view name, std::string_view proto,
                                          const EndpointRules& rules) {
  if (rules.services.port_of == nullptr) return std::nullopt;
  return rules.services.port_of(name, proto);
}

Result<std::uint32_t> parse_number_port(std::string_view text, std::uint32_t most,
                                        const EndpointRules& rules) {
  const auto number = parse_unsigned(text, 0, most, "port");
  if (!number) return std::unexpected(number.error());
  if (*number == 0 && !rules.port_zero)
    return usage_error("port", text,
                       "0 lets the kernel choose, which has no meaning here; a number from 1 to " +
                           std::to_string(most) + " fits");
  return static_cast<std::uint32_t>(*number);
}

Result<Endpoint> parse_unix(std::string_view path, Transport transport) {
  // The same file, and "unix:" before it must not read as "unix://".
  while (path.starts_with("//")) path.remove_prefix(1);
  if (const auto address = SocketAddress::unix_path(path); !address) return std::unexpected(address.error());
  Endpoint endpoint;
  endpoint.transport = transport;
  endpoint.path = path;
  return endpoint;
}

Result<Endpoint> parse_vsock(std::string_view text, const EndpointRules& rules) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return usage_error("endpoint", "vsock:" + std::string(text), "no port: vsock:CID:PORT fits");
  const auto cid = parse_unsigned(text.substr(0, colon), 0, UINT32_MAX, "vsock CID");
  if (!cid) return std::unexpected(cid.error());
  const auto port = parse_number_port(text.substr(colon + 1), UINT32_MAX, rules);
  if (!port) return std::unexpected(port.error());
  Endpoint endpoint;
  endpoint.transport = Transport::vsock;
  endpoint.cid = static_cast<std::uint32_t>(*cid);
  endpoint.port = *port;
  return endpoint;
}

// The words of a user name, which may hold a password, are not shown again.
std::unexpected<Error> refuse_user(std::string_view text) {
  const std::size_t slashes = text.find("://");
  const std::size_t begin = slashes == std::string_view::npos ? 0 : slashes + 3;
  std::string shown(text.substr(0, begin));
  shown += "***";
  shown += text.substr(text.rfind('@'));
  return usage_error("endpoint", shown, "a user name or password has no place in an endpoint");
}

// What stands on either side of the colon in `HOST:PORT`, `[IPV6]:PORT` and `:PORT`.
struct Split {
  std::string_view host;
  std::optional<std::string_view> port;
};

Result<Split> split_brackets(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos)
    return usage_error("endpoint", text, "'[' is not closed: [IPV6]:PORT fits");
  const std::string_view host = text.substr(1, close - 1);
  if (host.find(':') == std::string_view::npos)
    return usage_error("endpoint", text, "only an IPv6 address stands in brackets: [IPV6]:PORT fits");
  const std::string_view rest = text.substr(close + 1);
  if (rest.empty()) return Split{host, std::nullopt};
  if (!rest.starts_with(':'))
    return usage_error("endpoint", text, quoted(rest) + " after ']': [IPV6]:PORT fits");
  return Split{host, rest.substr(1)};
}

Result<Split> split_host_port(std::string_view text) {
  if (text.starts_with('[')) return split_brackets(text);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Split{text, std::nullopt};
  if (text.find(':', colon + 1) == std::string_view::npos)
    return Split{text.substr(0, colon), text.substr(colon + 1)};
  if (IpAddress::parse(text))
    return usage_error("endpoint", text,
                       "no port: an IPv6 address with its port is [IPV6]:PORT or IPV6 PORT");
  return usage_error("endpoint", text, "more than one ':'; an IPv6 address stands in brackets: [IPV6]:PORT");
}

// Host (empty for `:PORT`) and port; the port may be missing where `default_port` has one.
Result<Endpoint> parse_authority(std::string_view text, std::string_view whole,
                                 std::optional<std::uint16_t> default_port, const EndpointRules& rules) {
  const auto split = split_host_port(text);
  if (!split) return std::unexpected(split.error());
  Endpoint endpoint;
  endpoint.transport = rules.transport;
  endpoint.host = split->host;
  if (text.empty()) return usage_error("endpoint", whole, "no host after '://'");
  if (split->port && split->port->empty())
    return usage_error("endpoint", whole, "no port after the ':': a number or a service name fits");
  endpoint.every_interface = split->host.empty();
  if (!endpoint.every_interface) {
    if (const auto fits = check_host(split->host); !fits) return std::unexpected(fits.error());
  }
  if (!split->port) {
    if (!default_port) return usage_error("endpoint", whole, "no port: HOST PORT or HOST:PORT");
    endpoint.port = *default_port;
    return endpoint;
  }
  const auto port = parse_port(*split->port, rules);
  if (!port) return std::unexpected(port.error());
  endpoint.port = *port;
  return endpoint;
}

// RFC 6874 writes the "%" before a zone as "%25" inside a URL.
std::string without_escaped_zone(std::string_view authority) {
  std::string out(authority);
  const std::size_t escape = out.find("%25");
  if (out.starts_with('[') && escape != std::string::npos && out.find(']') > escape + 3)
    out.erase(escape + 1, 2);
  return out;
}

std::unexpected<Error> unknown_scheme(std::string_view scheme, const EndpointRules& rules) {
  std::string offer(nearest(scheme, kOwnSchemes));
  if (offer.empty()) offer = nearest_service(scheme, rules);
  return usage_error("scheme", scheme, "not tcp, udp, tls, unix nor a known service" + did_you_mean(offer));
}

Result<Endpoint> parse_url(std::string_view text, std::size_t slashes, const EndpointRules& given) {
  const std::string_view written = text.substr(0, slashes);
  const std::string scheme = lowered(written);
  const std::string_view rest = text.substr(slashes + 3);
  Result<Endpoint> endpoint;
  if (scheme == "unix" || scheme == "unix-dgram") {
    const bool datagrams = scheme == "unix-dgram" || is_datagram(given.transport);
    endpoint = parse_unix(rest, datagrams ? Transport::unix_dgram : Transport::unix_stream);
  } else {
    EndpointRules rules = given;
    rules.transport = given.transport == Transport::udp ? Transport::udp : Transport::tcp;
    bool tls = scheme == "tls";
    std::optional<std::uint16_t> port;
    if (scheme == "udp") {
      rules.transport = Transport::udp;
    } else if (scheme == "tcp" || tls) {
      rules.transport = Transport::tcp;
    } else {
      port = service_port(scheme, protocol(rules), rules);
      if (!port) return unknown_scheme(written, rules);
      tls = rules.services.is_tls != nullptr && rules.services.is_tls(scheme);
    }
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos)
      return refuse_user(text.substr(0, slashes + 3 + authority.size()));
    endpoint = parse_authority(without_escaped_zone(authority), text, port, rules);
    if (endpoint) endpoint->tls = tls;
  }
  if (endpoint) endpoint->scheme = written;
  return endpoint;
}

// `PORT` alone. A word that is none may be a host whose port was forgotten.
Result<Endpoint> parse_port_alone(std::string_view text, const EndpointRules& rules) {
  const auto port = parse_port(text, rules);
  if (port) {
    Endpoint endpoint;
    endpoint.transport = rules.transport;
    endpoint.port = *port;
    return endpoint;
  }
  const bool numeric = text.find_first_of("0123456789+- \t") == 0 && text.find('.') == std::string_view::npos;
  if (numeric || service_port(text, "tcp", rules) || service_port(text, "udp", rules))
    return std::unexpected(port.error());
  if (const auto fits = check_host(text); !fits) return std::unexpected(fits.error());
  // A host is likelier than a service so mistyped that more than two letters are wrong.
  std::string offer = nearest_service(text, rules);
  if (edit_distance(text, offer) > 2) offer.clear();
  return usage_error(
      "endpoint", text,
      "no port: HOST PORT or HOST:PORT" +
          (offer.empty() ? "" : "; if a service was meant, " + quoted(offer) + " is the nearest"));
}

Result<Endpoint> parse_word(std::string_view text, const EndpointRules& rules) {
  constexpr std::string_view kUnix = "unix:", kUnixDgram = "unix-dgram:", kVsock = "vsock:";
  const std::size_t slashes = text.find("://");
  if (slashes != std::string_view::npos && is_scheme(text.substr(0, slashes)))
    return parse_url(text, slashes, rules);
  if (text.starts_with(kUnix))
    return parse_unix(text.substr(kUnix.size()),
                      is_datagram(rules.transport) ? Transport::unix_dgram : Transport::unix_stream);
  if (text.starts_with(kUnixDgram)) return parse_unix(text.substr(kUnixDgram.size()), Transport::unix_dgram);
  if (text.starts_with(kVsock)) return parse_vsock(text.substr(kVsock.size()), rules);
  if (rules.transport == Transport::unix_stream || rules.transport == Transport::unix_dgram)
    return parse_unix(text, rules.transport);
  if (rules.transport == Transport::vsock) return parse_vsock(text, rules);
  if (text.empty()) return usage_error("endpoint", text, "empty: " + std::string(kForms) + " fits");
  if (text.find('@') != std::string_view::npos) return refuse_user(text);
  if (text.find_first_of(":[") == std::string_view::npos) return parse_port_alone(text, rules);
  return parse_authority(text, text, std::nullopt, rules);
}

Result<Endpoint> parse_two_words(std::string_view host, std::string_view port, const EndpointRules& rules) {
  const std::string both = std::string(host) + " " + std::string(port);
  const bool has_prefix = host.find("://") != std::string_view::npos || host.starts_with("unix:") ||
                          host.starts_with("unix-dgram:") || host.starts_with("vsock:");
  if (has_prefix)
    return usage_error("endpoint", both, "the first word is an endpoint by itself: one word fits");
  if (rules.transport == Transport::unix_stream || rules.transport == Transport::unix_dgram)
    return usage_error("endpoint", both, "a Unix socket has no port: one PATH or @NAME fits");
  if (rules.transport == Transport::vsock)
    return parse_vsock(std::string(host) + ":" + std::string(port), rules);
  if (host.find('@') != std::string_view::npos) return refuse_user(host);
  Endpoint endpoint;
  endpoint.transport = rules.transport;
  if (host.starts_with('[')) {
    const auto split = split_brackets(host);
    if (!split) return std::unexpected(split.error());
    if (split->port) return usage_error("endpoint", both, "two ports: " + quoted(host) + " has one already");
    host = split->host;
  } else if (host.find(':') != std::string_view::npos && !IpAddress::parse(host) &&
             host.find(':') == host.rfind(':')) {
    return usage_error("endpoint", both, "two ports: " + quoted(host) + " has one already");
  }
  if (host == "unix" || host == "unix-dgram" || host == "vsock")
    return usage_error("endpoint", both,
                       "'" + std::string(host) + ":' begins another form; tcp://" + std::string(host) +
                           ":PORT is the host of that name");
  if (const auto fits = check_host(host); !fits) return std::unexpected(fits.error());
  endpoint.host = host;
  const auto number = parse_port(port, rules);
  if (!number) return std::unexpected(number.error());
  endpoint.port = *number;
  return endpoint;
}

}  // namespace

std::string_view to_string(Transport transport) {
  switch (transport) {
    case Transport::tcp:
      return "tcp";
    case Transport::udp:
      return "udp";
    case Transport::unix_stream:
      return "unix";
    case Transport::unix_dgram:
      return "unix-dgram";
    case Transport::vsock:
      return "vsock";
  }
  return "tcp";
}

std::string Endpoint::to_string() const {
  const std::string before = scheme.empty() ? std::string() : scheme + "://";
  if (transport == Transport::unix_stream || transport == Transport::unix_dgram)
    return (before.empty() ? std::string(pier::to_string(transport)) + ":" : before) + path;
  const std::string number = std::to_string(port);
  if (transport == Transport::vsock) return "vsock:" + std::to_string(cid) + ":" + number;
  if (host.empty()) return before + (every_interface ? ":" : "") + number;
  if (host.find(':') == std::string::npos) return before + host + ":" + number;
  std::string literal = host;
  const std::size_t percent = literal.find('%');
  if (!scheme.empty() && percent != std::string::npos) literal.insert(percent + 1, "25");
  return before + "[" + literal + "]:" + number;
}

Result<std::uint16_t> parse_port(std::string_view text, const EndpointRules& rules) {
  if (parse_port_number(text)) {
    const auto number = parse_number_port(text, 65535, rules);
    if (!number) return std::unexpected(number.error());
    return static_cast<std::uint16_t>(*number);
  }
  if (const auto port = service_port(text, protocol(rules), rules)) return *port;
  const bool udp = rules.transport == Transport::udp;
  if (service_port(text, udp ? "tcp" : "udp", rules))
    return usage_error("port", text,
                       std::string("the service has a port for ") + (udp ? "TCP" : "UDP") +
                           " only, and not for " + (udp ? "UDP" : "TCP"));
  const std::string known = rules.services.port_of == nullptr ? "" : " nor a known service";
  return usage_error("port", text,
                     "not a number from 0 to 65535" + known + did_you_mean(nearest_service(text, rules)));
}

Result<Endpoint> parse_endpoint(std::span<const std::string> words, const EndpointRules& rules) {
  if (words.size() == 1) return parse_word(words[0], rules);
  if (words.size() == 2) return parse_two_words(words[0], words[1], rules);
  if (words.empty()) return usage_error("endpoint", "", "missing: " + std::string(kForms) + " fits");
  return usage_error("endpoint", words[2], "one word too many: HOST PORT or HOST:PORT fits");
}

}  // namespace pier
