// Management, files, calls, things and games over UDP.
#include "scan/udp_service.h"
#include "scan/wire.h"

namespace pier {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using namespace wire;

constexpr std::string_view kId4 = "pier";  // of four-byte transactions

// sysDescr.0 of the community everybody tries (RFC 1157, RFC 3418).
std::string snmp1() {
  const std::string oid = tlv(0x06, "\x2b\x06\x01\x02\x01\x01\x01\x00"sv);
  const std::string request =
      integer(0x7069) + integer(0) + integer(0) + sequence(sequence(oid + tlv(0x05, "")));
  return sequence(integer(0) + octets("public") + tlv(0xa0, request));
}

// Who are you? No name, no key: the engine reports itself (RFC 3412, RFC 3414 section 4).
std::string snmp3() {
  const std::string header = sequence(integer(0x7069) + integer(65507) + octets("\x04") + integer(3));
  const std::string security =
      sequence(octets("") + integer(0) + integer(0) + octets("") + octets("") + octets(""));
  const std::string request = tlv(0xa0, integer(0x7069) + integer(0) + integer(0) + sequence(""));
  return sequence(integer(3) + header + octets(security) + sequence(octets("") + octets("") + request));
}

// A sequence that begins with a version.
bool is_snmp(std::string_view d) {
  Reader reader(d);
  if (reader.number(1) != 0x30U) return false;
  const auto length = reader.number(1);
  if (length && *length > 0x80) (void)reader.take(*length & 0x7f);
  return reader.take(2) == "\x02\x01"sv && reader.number(1).value_or(9) <= 3;
}

constexpr std::string_view kSip =
    "OPTIONS sip:pier.invalid SIP/2.0\r\n"
    "Via: SIP/2.0/UDP pier.invalid;branch=z9hG4bKpier;rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:scan@pier.invalid>;tag=pier\r\n"
    "To: <sip:pier.invalid>\r\n"
    "Call-ID: scan@pier.invalid\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Contact: <sip:scan@pier.invalid>\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

bool is_sip(std::string_view d) {
  return d.starts_with("SIP/2.0 ");
}

// A file that nobody has; the error comes from a port of the transfer's own (RFC 1350, section 4).
std::string tftp() {
  return u16(1) + "pier-scan" + u8(0) + "octet" + u8(0);
}
bool is_tftp(std::string_view d) {
  return d.size() >= 4 && d[0] == 0 && (d[1] == 3 || d[1] == 5 || d[1] == 6);
}

// The procedure that does nothing (RFC 5531, section 12).
std::string rpc(std::uint32_t program, std::uint32_t version) {
  return std::string(kId4) + u32(0) + u32(2) + u32(program) + u32(version) + zeros(20);
}
bool is_rpc(std::string_view d) {
  return d.size() >= 12 && d.starts_with(kId4) && d.substr(4, 4) == "\0\0\0\1"sv;
}

std::string memcached() {
  return "pi" + u16(0) + u16(1) + u16(0) + "version\r\n";
}
bool is_memcached(std::string_view d) {
  return d.size() > 8 && d.starts_with("pi");
}

// Binding (RFC 8489, section 5).
std::string stun() {
  return u16(1) + u16(0) + u32(0x2112a442) + "pier-scan-id";
}
bool is_stun(std::string_view d) {
  // The class of the message: a request has neither of these bits (section 5).
  return d.size() >= 20 && (d[0] & 0xc0) == 0 && (d[0] & 1) != 0 &&
         d.substr(4, 16) == "\x21\x12\xa4\x42pier-scan-id"sv;
}

// What is there (RFC 6690): GET /.well-known/core.
std::string coap() {
  return u8(0x40) + u8(1) + "pi" + u8(0xbb) + ".well-known" + u8(0x04) + "core";
}
bool is_coap(std::string_view d) {
  return d.size() >= 4 && (d[0] & 0xc0) == 0x40 && d.substr(2, 2) == "pi"sv;
}

// DHCPINFORM (RFC 2131). Most servers answer to port 68 alone, where we are not.
std::string dhcp() {
  return u8(1) + u8(1) + u8(6) + u8(0) + std::string(kId4) + zeros(20) + "\x02" + "pier1" + zeros(202) +
         u32(0x63825363) + u8(53) + with_u8(u8(8)) + u8(255);
}
bool is_dhcp(std::string_view d) {
  return d.size() >= 240 && d[0] == 2 && d.substr(4, 4) == kId4;
}

bool is_never(std::string_view) {
  return false;
}

// The presence ping that every management controller answers (ASF 2.0, section 3.2.4.2).
std::string ipmi() {
  return u32(0x0600ff06) + u32(4542) + u8(0x80) + u8(0x70) + u16(0);
}
bool is_ipmi(std::string_view d) {
  constexpr char kPong = 0x40;
  return d.size() >= 12 && d[0] == 6 && (d[3] & 0x1f) == 6 && d[8] == kPong;
}

// ReadProperty of the wildcard device's object-name (ASHRAE 135, clauses 15.5 and J.2).
std::string bacnet() {
  const std::string apdu =
      u8(0x00) + u8(0x05) + u8(0x70) + u8(12) + u8(0x0c) + u32(8U << 22 | 0x3fffff) + u8(0x19) + u8(77);
  const std::string npdu = u8(1) + u8(4) + apdu;
  return u8(0x81) + u8(0x0a) + u16(static_cast<unsigned>(4 + npdu.size())) + npdu;
}
bool is_bacnet(std::string_view d) {
  return d.size() >= 6 && static_cast<unsigned char>(d[0]) == 0x81;
}

bool is_nat_pmp(std::string_view d) {
  return d.size() >= 8 && (d.starts_with("\0\x80"sv) || d[0] == 2);
}

// The whole table (RFC 2453, section 3.9.1).
std::string rip() {
  return u8(1) + u8(2) + zeros(2) + zeros(16) + u32(16);
}
bool is_rip(std::string_view d) {
  return d.size() >= 4 && d[0] == 2 && (d[1] == 1 || d[1] == 2);
}

std::string gtp() {
  return u8(0x32) + u8(1) + u16(4) + u32(0) + u16(0x7069) + u16(0);
}
bool is_gtp(std::string_view d) {
  return d.size() >= 8 && (d[0] & 0xf0) == 0x30 && d[1] == 2;
}

bool is_xdmcp(std::string_view d) {
  return d.size() >= 6 && d.starts_with("\0\1\0"sv) && (d[3] == 5 || d[3] == 6);
}
bool is_sql_browser(std::string_view d) {
  return d.size() >= 3 && d[0] == 5;
}
bool is_source_game(std::string_view d) {
  return d.starts_with("\xff\xff\xff\xff"sv) && d.size() > 5 && (d[4] == 'I' || d[4] == 'A');
}
bool is_mumble(std::string_view d) {
  return d.size() == 24 && d.substr(4, 8) == "pierscan"sv;
}
bool is_dht(std::string_view d) {
  return d.starts_with('d') && d.find("1:t2:pi") != std::string_view::npos &&
         d.find("1:y1:q") == std::string_view::npos;
}

}  // namespace

std::vector<UdpService> udp_other_services() {
  return {
      {"snmp", "RFC 1157, RFC 3414", {161}, {snmp1(), snmp3()}, is_snmp},
      {"sip", "RFC 3261", {5060}, {std::string(kSip)}, is_sip},
      {"tftp", "RFC 1350", {69}, {tftp()}, is_tftp, true},
      {"rpcbind", "RFC 1833, RFC 5531", {111}, {rpc(100000, 2)}, is_rpc},
      {"nfs", "RFC 1813, RFC 5531", {2049}, {rpc(100003, 3)}, is_rpc},
      {"memcached", "memcached's protocol.txt", {11211}, {memcached()}, is_memcached},
      {"stun", "RFC 8489", {3478, 19302}, {stun()}, is_stun},
      {"coap", "RFC 7252", {5683}, {coap()}, is_coap},
      {"dhcp", "RFC 2131", {67}, {dhcp()}, is_dhcp},
      // One line in a log, of the lowest severity; there is no answer to it.
      {"syslog", "RFC 5424, RFC 5426", {514}, {"<191>1 - - pier-scan - - - probe of this port"}, is_never},
      {"ipmi", "ASF 2.0, IPMI 2.0", {623}, {ipmi()}, is_ipmi},
      {"bacnet", "ASHRAE 135, annex J", {47808}, {bacnet()}, is_bacnet},
      {"nat-pmp", "RFC 6886", {5351}, {zeros(2)}, is_nat_pmp},
      {"rip", "RFC 2453", {520}, {rip()}, is_rip},
      {"gtp", "3GPP TS 29.060, TS 29.281", {2123, 2152}, {gtp()}, is_gtp},
      {"xdmcp", "XDMCP 1.1, section 3", {177}, {u16(1) + u16(2) + u16(1) + u8(0)}, is_xdmcp},
      {"ms-sql-m", "MC-SQLR, section 2.2.2", {1434}, {u8(3)}, is_sql_browser},
      {"source-engine",
       "A2S_INFO, Valve's server queries",
       {27015},
       {"\xff\xff\xff\xffTSource Engine Query\0"s},
       is_source_game},
      {"mumble", "Mumble protocol, UDP ping", {64738}, {zeros(4) + "pierscan"}, is_mumble},
      {"bittorrent-dht",
       "BEP 5",
       {6881},
       {"d1:ad2:id20:pier-scan-pier-scan-e1:q4:ping1:t2:pi1:y1:qe"},
       is_dht},
  };
}

}  // namespace pier
