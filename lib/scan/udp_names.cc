// Names, time and discovery over UDP.
#include "scan/udp_service.h"
#include "scan/wire.h"

namespace pier {
namespace {

using namespace std::string_view_literals;
using namespace wire;

constexpr std::string_view kId = "pi";  // of two-byte transactions

std::string label(std::string_view text) {
  return with_u8(text);
}

// One question (RFC 1035, section 4.1). Class 0x8001 asks for a unicast answer in mDNS (RFC 6762).
std::string question(unsigned flags, std::string_view name, unsigned type, unsigned klass) {
  return std::string(kId) + u16(flags) + u16(1) + zeros(6) + std::string(name) + u8(0) + u16(type) +
         u16(klass);
}

// Twelve bytes at least, our identification, and the bit that says "response".
bool is_dns(std::string_view d) {
  return d.size() >= 12 && d.starts_with(kId) && (d[2] & 0x80) != 0;
}

// An mDNS responder may also answer with an identification of 0, as it would by multicast.
bool is_mdns(std::string_view d) {
  return d.size() >= 12 && (d.starts_with(kId) || d.starts_with("\0\0"sv)) && (d[2] & 0x80) != 0;
}

std::string netbios_name() {
  // The wildcard "*", 15 zeros, half a byte a letter (RFC 1001, section 14.1).
  return label("CK" + std::string(30, 'A'));
}

constexpr std::string_view kStamp = "pierscan";  // the time that it is not

std::string ntp() {
  return u8(0x23) + zeros(39) + std::string(kStamp);  // version 4, mode 3: client
}

// A server's answer, with our transmit time stamp as its origin (RFC 5905, section 7.3).
bool is_ntp(std::string_view d) {
  return d.size() >= 48 && (d[0] & 7) == 4 && d.substr(24, 8) == kStamp;
}

constexpr std::string_view kSsdp =
    "M-SEARCH * HTTP/1.1\r\n"
    "HOST: 239.255.255.250:1900\r\n"
    "MAN: \"ssdp:discover\"\r\n"
    "MX: 1\r\n"
    "ST: ssdp:all\r\n"
    "\r\n";

bool is_ssdp(std::string_view d) {
  return d.starts_with("HTTP/1.1 200") || d.starts_with("NOTIFY * HTTP/1.1");
}

constexpr std::string_view kWsDiscovery =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\""
    " xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\""
    " xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\">"
    "<s:Header>"
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
    "<a:MessageID>urn:uuid:70696572-7363-616e-0000-000000000001</a:MessageID>"
    "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    "</s:Header>"
    "<s:Body><d:Probe/></s:Body>"
    "</s:Envelope>";

bool is_soap(std::string_view d) {
  return d.find("ProbeMatches") != std::string_view::npos;
}

// Which service types are there (RFC 2608, section 10.1): all naming authorities, the default scope.
std::string slp() {
  const std::string body = with_u16("") + u16(0xffff) + with_u16("default");
  const std::string tail = u16(0) + u24(0) + std::string(kId) + with_u16("en") + body;
  return u8(2) + u8(9) + u24(static_cast<unsigned>(tail.size() + 5)) + tail;
}

bool is_slp(std::string_view d) {
  return d.size() >= 14 && d[0] == 2 && (d[1] == 10 || d[1] == 2) && d.substr(10, 2) == kId;
}

bool is_any(std::string_view) {
  return true;
}
bool is_four_bytes(std::string_view d) {
  return d.size() == 4;
}
bool is_echo(std::string_view d) {
  return d == "pier"sv;
}

}  // namespace

std::vector<UdpService> udp_name_services() {
  return {
      {"dns", "RFC 1035", {53}, {question(0x0100, "", 2, 1)}, is_dns},
      {"mdns",
       "RFC 6762, RFC 6763",
       {5353},
       {question(0, label("_services") + label("_dns-sd") + label("_udp") + label("local"), 12, 0x8001)},
       is_mdns},
      {"netbios-ns", "RFC 1002", {137}, {question(0, netbios_name(), 0x21, 1)}, is_dns},
      {"ntp", "RFC 5905", {123}, {ntp()}, is_ntp},
      {"ssdp", "UPnP Device Architecture 1.1", {1900}, {std::string(kSsdp)}, is_ssdp},
      {"ws-discovery", "OASIS WS-Discovery 1.1", {3702}, {std::string(kWsDiscovery)}, is_soap},
      {"slp", "RFC 2608", {427}, {slp()}, is_slp},
      // Any datagram will do.
      {"echo", "RFC 862", {7}, {"pier"}, is_echo},
      {"daytime", "RFC 867", {13}, {"\r\n"}, is_any},
      {"qotd", "RFC 865", {17}, {"\r\n"}, is_any},
      {"chargen", "RFC 864", {19}, {"\r\n"}, is_any},
      {"time", "RFC 868", {37}, {"\r\n"}, is_four_bytes},
  };
}

}  // namespace pier
