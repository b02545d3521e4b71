// The grammar of port sets (ports/port_set.h).
#include <algorithm>

#include "base/number.h"
#include "base/suggest.h"
#include "ports/common.h"
#include "ports/port_set.h"
#include "ports/services.h"

namespace pier {
namespace {

constexpr std::string_view kFits =
    "not a port, a range (1-5), a class (well-known, registered, dynamic), common, or a service name";

// "common", or "common-1" and "common-2" for its shorter tiers; 0 for any other text.
int common_tier(std::string_view text) {
  if (text == "common") return kCommonTiers;
  if (text == "common-1") return 1;
  return text == "common-2" ? 2 : 0;
}

bool is_range_text(std::string_view text) {
  return text.find_first_not_of("0123456789-") == std::string_view::npos;
}

// One item of the list, after its prefix, its suffix and its `!` are taken off.
struct Item {
  std::string_view whole;  // as typed, for errors
  std::string_view ports;
  PortProtocols protocols;
  bool named_protocol = false;
  bool left_out = false;
};

std::unexpected<Error> refuse(const Item& item, std::string_view why) {
  return usage_error("port", item.whole, why);
}

// `whole` is what an error quotes.
Result<PortRange> read_range(std::string_view text, std::string_view whole, bool port_zero) {
  if (text == "-") return PortRange{1, 65535};
  const std::uint64_t least = port_zero ? 0 : 1;
  const auto number = [&](std::string_view digits) -> Result<std::uint16_t> {
    const auto port = parse_port_number(digits);
    if (!port) return usage_error("port", whole, "not a number from " + std::to_string(least) + " to 65535");
    if (*port < least) return usage_error("port", whole, "port 0 does not exist here: from 1 to 65535");
    return port;
  };
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    const auto port = number(text);
    if (!port) return std::unexpected(port.error());
    return PortRange{*port, *port};
  }
  const std::string_view low = text.substr(0, dash);
  const std::string_view high = text.substr(dash + 1);
  if (high.find('-') != std::string_view::npos) return usage_error("port", whole, kFits);
  const Result<std::uint16_t> first = low.empty() ? Result<std::uint16_t>(1) : number(low);
  if (!first) return std::unexpected(first.error());
  const Result<std::uint16_t> last = high.empty() ? Result<std::uint16_t>(65535) : number(high);
  if (!last) return std::unexpected(last.error());
  if (*first > *last)
    return usage_error("port", whole,
                       "a backwards range: did you mean " + to_string(PortRange{*last, *first}));
  return PortRange{*first, *last};
}

class Parser {
 public:
  explicit Parser(const PortSetRules& rules) : rules_(rules), protocols_(rules.unqualified) {}

  Result<PortSet> parse(std::string_view text) {
    if (text.empty()) return usage_error("port", text, "empty: give a port, as in 80 or 22,80,8000-8100");
    for (std::string_view rest = text;;) {
      const std::size_t comma = rest.find(',');
      const std::string_view word = rest.substr(0, comma);
      if (word.empty())
        return usage_error("ports", text, "an empty item: one comma between two items, none at the ends");
      auto item = read_item(word);
      if (!item) return std::unexpected(item.error());
      if (const auto done = apply(*item); !done) return std::unexpected(done.error());
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (!any_added_)
      return usage_error("ports", text,
                         "only says what to leave out; for all the others write -," + std::string(text));
    in_.remove(out_);
    if (in_.empty()) return usage_error("ports", text, "leaves no port at all");
    return in_;
  }

 private:
  // `T:`, `!` and `/tcp`, in any sensible order.
  Result<Item> read_item(std::string_view word) {
    Item item{.whole = word, .ports = word, .protocols = {}};
    const auto take_bang = [&] {
      if (item.left_out || !item.ports.starts_with('!')) return;
      item.left_out = true;
      item.ports.remove_prefix(1);
    };
    take_bang();
    if (item.ports.starts_with("T:") || item.ports.starts_with("U:")) {
      const PortProtocol named = item.ports[0] == 'T' ? PortProtocol::tcp : PortProtocol::udp;
      item.protocols = named;
      item.named_protocol = true;
      item.ports.remove_prefix(2);
      if (!item.left_out) protocols_ = named;
      take_bang();
    }
    const std::size_t slash = item.ports.rfind('/');
    const auto suffix =
        slash == std::string_view::npos ? std::nullopt : parse_port_protocol(item.ports.substr(slash + 1));
    if (suffix) {
      if (item.named_protocol && item.protocols != PortProtocols(*suffix))
        return refuse(item, "names two transports");
      item.protocols = *suffix;
      item.named_protocol = true;
      item.ports = item.ports.substr(0, slash);
    }
    if (!item.named_protocol) item.protocols = item.left_out ? kEveryPortProtocol : protocols_;
    for (const PortProtocol protocol : kPortProtocols)
      if (item.named_protocol && item.protocols.contains(protocol) && !rules_.allowed.contains(protocol))
        return refuse(item, std::string(to_string(protocol)) + " is not possible here");
    return item;
  }

  Result<void> apply(const Item& item) {
    if (item.ports.empty()) return refuse(item, kFits);
    if (is_range_text(item.ports)) {
      const auto range = read_range(item.ports, item.whole, rules_.port_zero);
      if (!range) return std::unexpected(range.error());
      put(item, item.protocols, *range);
      return {};
    }
    if (const auto which = parse_port_class(item.ports)) {
      PortRange range = range_of(*which);
      if (!rules_.port_zero) range.first = std::max<std::uint16_t>(range.first, 1);
      put(item, item.protocols, range);
      return {};
    }
    if (const int tier = common_tier(item.ports); tier > 0) {
      const PortSet common = common_ports(tier);
      for (const PortProtocol protocol : kPortProtocols)
        if (item.protocols.contains(protocol))
          for (const PortRange range : common.ranges(protocol)) put(item, protocol, range);
      any_added_ |= !item.left_out;
      return {};
    }
    return apply_service(item);
  }

  Result<void> apply_service(const Item& item) {
    const std::vector<ServicePort> places = resolve_service(item.ports);
    if (places.empty()) return refuse_name(item);
    std::string elsewhere;
    bool found = false;
    for (const ServicePort& place : places) {
      if (item.protocols.contains(place.protocol)) {
        put(item, place.protocol, place.ports);
        found = true;
      } else {
        elsewhere += (elsewhere.empty() ? "" : ", ") + to_string(place.ports) + "/" +
                     std::string(to_string(place.protocol));
      }
    }
    if (!found) return refuse(item, "this service has no port on that transport, but " + elsewhere);
    return {};
  }

  std::unexpected<Error> refuse_name(const Item& item) {
    if (service_without_port(item.ports)) return refuse(item, "this service is registered without a port");
    std::string near(nearest(item.ports, kPortSetWords));
    if (near.empty()) near = nearest_service(item.ports);
    if (!near.empty()) return refuse(item, "no such service: did you mean " + near);
    return refuse(item, kFits);
  }

  void put(const Item& item, PortProtocols protocols, PortRange range) {
    (item.left_out ? out_ : in_).add(protocols, range);
    any_added_ |= !item.left_out;
  }

  const PortSetRules& rules_;
  PortProtocols protocols_;  // of an item that names none: the rules', until a `T:` or `U:`
  PortSet in_;
  PortSet out_;
  bool any_added_ = false;
};

}  // namespace

Result<PortRange> parse_port_range(std::string_view text, bool port_zero) {
  if (text.empty() || !is_range_text(text))
    return usage_error("port", text, "not a port or a range of ports");
  return read_range(text, text, port_zero);
}

Result<PortSet> parse_port_set(std::string_view text, const PortSetRules& rules) {
  return Parser(rules).parse(text);
}

}  // namespace pier
