#include "ports/services.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/suggest.h"
#include "ports/common.h"

namespace pier {
namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Which characters a name is made of, one bit for each (those 64 apart share one).
std::uint64_t letters_of(std::string_view name) {
  std::uint64_t letters = 0;
  for (const char c : name) letters |= std::uint64_t{1} << (static_cast<unsigned char>(c) % 64);
  return letters;
}

// Names that users type and IANA does not have. Add yours here, with who uses it.
struct CustomaryName {
  char typed[16];
  char registered[16];
};
constexpr std::array<CustomaryName, 2> kCustomaryNames{{
    {"smtps", "submissions"},    // curl(1) and mail clients; RFC 8314 section 7.3 tells its history
    {"postgres", "postgresql"},  // PostgreSQL's libpq takes both as the scheme of a connection URI
}};

// Where a name has several ports, the one that is meant. Add yours here, with the reason.
struct CustomaryPort {
  char name[16];
  std::uint16_t port;
};
constexpr std::array<CustomaryPort, 1> kCustomaryPorts{{
    {"http-alt", 8080},  // the first in the registry, 591, is FileMaker's; /etc/services has 8080
}};

// Services that begin with a TLS handshake over TCP. Add yours here, with the document that says so.
constexpr std::array kTlsServices{TlsService{"https", "RFC 9110"},
                                  TlsService{"submissions", "RFC 8314"},
                                  TlsService{"smtps", "RFC 8314"},
                                  TlsService{"imaps", "RFC 8314"},
                                  TlsService{"pop3s", "RFC 8314"},
                                  TlsService{"nntps", "RFC 8143"},
                                  TlsService{"ldaps", "IANA"},
                                  TlsService{"msft-gc-ssl", "IANA"},
                                  TlsService{"ftps", "IANA"},
                                  TlsService{"ftps-data", "IANA"},
                                  TlsService{"telnets", "IANA"},
                                  TlsService{"tacacss", "RFC 9887"},
                                  TlsService{"domain-s", "RFC 7858"},
                                  TlsService{"sips", "RFC 3263"},
                                  TlsService{"ircs-u", "RFC 7194"},
                                  TlsService{"secure-mqtt", "MQTT 5.0"},
                                  TlsService{"amqps", "AMQP 1.0"},
                                  TlsService{"syslog-tls", "RFC 5425"},
                                  TlsService{"coaps", "RFC 8323"},
                                  TlsService{"turns", "RFC 8656"},
                                  TlsService{"stuns", "RFC 8489"},
                                  TlsService{"stun-behaviors", "RFC 5780"},
                                  TlsService{"netconf-tls", "RFC 7589"},
                                  TlsService{"diameters", "RFC 6733"},
                                  TlsService{"radsec", "RFC 6614"},
                                  TlsService{"snmptls", "RFC 6353"},
                                  TlsService{"snmptls-trap", "RFC 6353"},
                                  TlsService{"pt-tls", "RFC 6876"},
                                  TlsService{"rpki-rtr-tls", "RFC 6810"},
                                  TlsService{"dicom-tls", "IANA"},
                                  TlsService{"cops-tls", "RFC 4261"},
                                  TlsService{"opcua-tls", "IANA"},
                                  TlsService{"docker-s", "IANA"},
                                  TlsService{"wsmans", "IANA"},
                                  TlsService{"wbem-https", "IANA"},
                                  TlsService{"wbem-exp-https", "IANA"},
                                  TlsService{"oob-ws-https", "IANA"},
                                  TlsService{"amt-soap-https", "IANA"},
                                  TlsService{"amt-redir-tls", "IANA"},
                                  TlsService{"compaq-https", "IANA"},
                                  TlsService{"pcsync-https", "IANA"},
                                  TlsService{"appserv-https", "IANA"},
                                  TlsService{"sun-sr-https", "IANA"},
                                  TlsService{"oracleas-https", "IANA"},
                                  TlsService{"synapse-nhttps", "IANA"},
                                  TlsService{"tungsten-https", "IANA"},
                                  TlsService{"db2c-tls", "IANA"},
                                  TlsService{"sqlexec-ssl", "IANA"},
                                  TlsService{"giop-ssl", "IANA"},
                                  TlsService{"ttc-ssl", "IANA"},
                                  TlsService{"corba-iiop-ssl", "IANA"},
                                  TlsService{"jboss-iiop-ssl", "IANA"},
                                  TlsService{"ethernet-ip-s", "IANA"},
                                  TlsService{"ipfixs", "RFC 7011"},
                                  TlsService{"onep-tls", "IANA"},
                                  TlsService{"qmtps", "IANA"},
                                  TlsService{"odette-ftps", "RFC 5024"},
                                  TlsService{"saphostctrls", "IANA"},
                                  TlsService{"secure-ts", "IANA"},
                                  TlsService{"tl1-raw-ssl", "IANA"},
                                  TlsService{"netconf-ch-tls", "RFC 8071"}};

// The services of the common ports, by ascending port, and the names that only users have.
std::vector<std::string_view> common_names() {
  std::vector<std::string_view> names;
  common_ports().for_each([&](std::uint16_t port, PortProtocol protocol) {
    const std::string_view service = service_of(protocol, port);
    if (!service.empty()) names.push_back(service);
  });
  for (const CustomaryName& customary : kCustomaryNames) names.emplace_back(customary.typed);
  return names;
}

std::string lowered(std::string_view name) {
  std::string all;
  for (const char c : name) all += lower(c);
  return all;
}

// The registry's names that begin with `typed`, which is in lower case, or may be near enough to it.
// Measuring the distance to thousands of names takes milliseconds; most of them cannot be near.
std::vector<std::string_view> names_near(std::string_view typed) {
  const std::uint64_t letters = letters_of(typed);
  std::vector<std::string_view> names = service_names();
  std::erase_if(names, [&](std::string_view candidate) {
    const std::size_t longer = std::max(typed.size(), candidate.size());
    const std::size_t most = longer / 3;
    // One edit changes the length by at most one and the set of letters by at most two: one goes, one comes.
    const bool near = longer - std::min(typed.size(), candidate.size()) <= most &&
                      static_cast<std::size_t>(std::popcount(letters ^ letters_of(candidate))) <= 2 * most;
    return !near && !candidate.starts_with(typed);
  });
  return names;
}

// The nearest of the names offered so far.
class Nearest {
 public:
  void offer(std::size_t distance, std::string_view name) {
    if (distance > distance_ || (distance == distance_ && name == name_)) return;
    alone_ = distance < distance_;
    distance_ = distance;
    name_ = name;
  }
  [[nodiscard]] std::size_t distance() const { return distance_; }
  // Empty when another one is as near.
  [[nodiscard]] std::string_view name() const { return alone_ ? name_ : std::string_view(); }

 private:
  std::size_t distance_ = SIZE_MAX;
  std::string_view name_;
  bool alone_ = false;
};

// How short a beginning may be, and how many letters must be right for each that is wrong.
constexpr std::size_t kLeastBeginning = 3;
constexpr std::size_t kRightForOneWrong = 5;

}  // namespace

std::vector<ServicePort> resolve_service(std::string_view name) {
  std::vector<ServicePort> found = find_service(name);
  if (found.empty())
    for (const CustomaryName& customary : kCustomaryNames)
      if (same_name(name, customary.typed)) return find_service(customary.registered);
  return found;
}

std::optional<std::uint16_t> service_port(std::string_view name, std::string_view protocol) {
  const auto wanted = parse_port_protocol(protocol);
  if (!wanted) return std::nullopt;
  const std::vector<ServicePort> places = resolve_service(name);
  for (const CustomaryPort& customary : kCustomaryPorts)
    if (same_name(name, customary.name))
      for (const ServicePort& place : places)
        if (place.protocol == *wanted && place.ports.contains(customary.port)) return customary.port;
  for (const ServicePort& place : places)
    if (place.protocol == *wanted) return place.ports.first;
  return std::nullopt;
}

std::string nearest_service(std::string_view name) {
  const std::string typed = lowered(name);
  const std::vector<std::string_view> names = names_near(typed);
  const std::string_view best = nearest(typed, names);
  // Of names equally near, one that is commonly met is meant, and of those the one with the lower port.
  const std::vector<std::string_view> usual = common_names();
  const std::string_view known = nearest(typed, usual);
  const auto distance = [&](std::string_view to) {
    return typed.size() >= 3 && to.starts_with(typed) ? 1 : edit_distance(typed, to);
  };
  return std::string(!known.empty() && distance(known) <= distance(best) ? known : best);
}

std::string meant_service(std::string_view word) {
  const std::string typed = lowered(word);
  if (typed.size() < kLeastBeginning || typed[0] < 'a' || typed[0] > 'z' || service_without_port(typed))
    return {};
  Nearest begun;    // of the names that begin with it
  Nearest altered;  // of the others
  std::vector<std::string_view> beginning;
  const auto offer = [&](std::string_view name, std::string_view registered) {
    const bool begins = name.starts_with(typed);
    (begins ? begun : altered).offer(edit_distance(typed, name), registered);
    if (begins && std::ranges::find(beginning, registered) == beginning.end())
      beginning.push_back(registered);
  };
  for (const CustomaryName& customary : kCustomaryNames) offer(customary.typed, customary.registered);
  for (const std::string_view name : names_near(typed)) offer(name, name);
  if (beginning.empty()) {
    // A slip is rarely in the first letter: sqlserver is not rsqlserver.
    const bool near =
        altered.distance() * kRightForOneWrong <= typed.size() && altered.name().starts_with(typed[0]);
    return std::string(near ? altered.name() : "");
  }
  // "smpt" begins smpte, and is smtp with two letters swapped.
  if (altered.distance() <= 1) return {};
  if (beginning.size() == 1) return std::string(beginning.front());
  return std::string(begun.distance() == 1 ? begun.name() : "");
}

std::span<const TlsService> tls_services() {
  return kTlsServices;
}

bool is_tls_service(std::string_view name) {
  return std::ranges::any_of(kTlsServices, [&](const TlsService& s) { return same_name(name, s.name); });
}

}  // namespace pier
