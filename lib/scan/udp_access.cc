// Tickets, directories, tunnels and security over UDP.
#include "scan/client_hello.h"
#include "scan/udp_service.h"
#include "scan/wire.h"

namespace pier {
namespace {

using namespace std::string_view_literals;
using namespace wire;

constexpr std::string_view kId8 = "pierscan";  // of eight-byte sessions

std::string context(unsigned number, std::string_view content) {
  return tlv(0xa0 + number, content);
}
std::string general(std::string_view text) {
  return tlv(0x1b, text);
}

// A ticket for nobody of a realm that is nowhere: the answer is an error (RFC 4120, section 5.4.1).
std::string kerberos() {
  const std::string principal = context(0, integer(1)) + context(1, sequence(general("pier")));
  const std::string server =
      context(0, integer(2)) + context(1, sequence(general("krbtgt") + general("PIER.INVALID")));
  const std::string body = context(0, tlv(0x03, u8(0) + u32(0x10))) + context(1, sequence(principal)) +
                           context(2, general("PIER.INVALID")) + context(3, sequence(server)) +
                           context(5, tlv(0x18, "19700101000000Z")) + context(7, integer(0x706965)) +
                           context(8, sequence(integer(18) + integer(17) + integer(23)));
  return tlv(0x6a, sequence(context(1, integer(5)) + context(2, integer(10)) + context(4, sequence(body))));
}

// KRB-ERROR or AS-REP.
bool is_kerberos(std::string_view d) {
  return d.size() > 10 && (d[0] == 0x7e || d[0] == 0x6b);
}

// The root entry, which anybody may read (RFC 4512, section 5.1).
std::string ldap() {
  const std::string search = octets("") + tlv(0x0a, u8(0)) + tlv(0x0a, u8(0)) + integer(0) + integer(5) +
                             tlv(0x01, u8(0)) + tlv(0x87, "objectClass") + sequence("");
  return sequence(integer(7) + tlv(0x63, search));
}

// A message of ours whose operation is a search result.
bool is_ldap(std::string_view d) {
  Reader reader(d);
  if (reader.number(1) != 0x30U) return false;
  const auto length = reader.number(1);
  if (length && *length > 0x80) (void)reader.take(*length & 0x7f);
  return reader.take(3) == "\x02\x01\x07"sv &&
         (reader.rest().starts_with('\x64') || reader.rest().starts_with('\x65'));
}

// RFC 2865. Only who knows the shared secret gets more than a rejection.
std::string radius() {
  const std::string attributes =
      u8(1) + u8(6) + "pier" + u8(2) + u8(18) + zeros(16) + u8(32) + u8(6) + "pier";
  return u8(1) + u8(0x70) + u16(static_cast<unsigned>(20 + attributes.size())) + "pier-scan-reques" +
         attributes;
}

bool is_radius(std::string_view d) {
  return d.size() >= 20 && (d[0] == 2 || d[0] == 3 || d[0] == 11) && d[1] == 0x70;
}

// IKE_SA_INIT (RFC 7296, section 1.2): AES-CBC, HMAC-SHA-256, group 14, with numbers that make no key.
std::string ike() {
  const auto transform = [](bool last, unsigned type, unsigned id, std::string_view attribute) {
    return u8(last ? 0 : 3) + u8(0) + u16(static_cast<unsigned>(8 + attribute.size())) + u8(type) + u8(0) +
           u16(id) + std::string(attribute);
  };
  const std::string transforms = transform(false, 1, 12, u16(0x800e) + u16(128)) +
                                 transform(false, 2, 5, "") + transform(false, 3, 12, "") +
                                 transform(true, 4, 14, "");
  const std::string proposal = u8(0) + u8(0) + u16(static_cast<unsigned>(8 + transforms.size())) + u8(1) +
                               u8(1) + u8(0) + u8(4) + transforms;
  const auto payload = [](unsigned next, std::string_view body) {
    return u8(next) + u8(0) + u16(static_cast<unsigned>(4 + body.size())) + std::string(body);
  };
  const std::string payloads = payload(34, proposal) +
                               payload(40, u16(14) + u16(0) + std::string(256, '\x55')) +
                               payload(0, "pier-scan-nonce-of-32-bytes-long");
  return std::string(kId8) + zeros(8) + u8(33) + u8(0x20) + u8(34) + u8(0x08) + u32(0) +
         u32(static_cast<std::uint32_t>(28 + payloads.size())) + payloads;
}

bool is_ike(std::string_view d) {
  if (d.starts_with("\0\0\0\0"sv)) d.remove_prefix(4);  // the marker on port 4500 (RFC 3948)
  return d.size() >= 28 && d.starts_with(kId8);
}

// Start-Control-Connection-Request (RFC 2661, sections 3.1, 4.1 and 6.1).
std::string l2tp() {
  const auto avp = [](unsigned type, std::string_view value) {
    return u16(0x8000 + 6 + static_cast<unsigned>(value.size())) + u16(0) + u16(type) + std::string(value);
  };
  const std::string avps =
      avp(0, u16(1)) + avp(2, u16(0x0100)) + avp(3, u32(3)) + avp(7, "pier") + avp(9, u16(0x7069));
  return u16(0xc802) + u16(static_cast<unsigned>(12 + avps.size())) + zeros(8) + avps;
}

bool is_l2tp(std::string_view d) {
  return d.size() >= 12 && (d[0] & 0xc8) == 0xc8 && (d[1] & 0x0f) == 2;
}

// P_CONTROL_HARD_RESET_CLIENT_V2, and its answer by the server.
std::string openvpn() {
  return u8(7 << 3) + std::string(kId8) + u8(0) + u32(0);
}
bool is_openvpn(std::string_view d) {
  return d.size() >= 14 && static_cast<unsigned char>(d[0]) >> 3 == 8;
}

// A record of DTLS 1.0 or 1.2: an alert or a handshake.
bool is_dtls(std::string_view d) {
  return d.size() >= 13 && (d[0] == 21 || d[0] == 22) &&
         (d.substr(1, 2) == "\xfe\xff"sv || d.substr(1, 2) == "\xfe\xfd"sv);
}

// A version that nobody has (RFC 9000, section 15), in a datagram of the size below which servers do not
// answer (section 14.1).
std::string quic() {
  std::string packet = u8(0xc0) + u32(0x1a2a3a4a) + with_u8(kId8) + with_u8("scanpier");
  packet.resize(1200);
  return packet;
}

// Version negotiation (RFC 8999, section 6): version 0, and our identifiers the other way round.
bool is_quic(std::string_view d) {
  return d.size() >= 27 && (d[0] & 0x80) != 0 && d.substr(1, 4) == "\0\0\0\0"sv &&
         d.substr(5, 9) == "\x08scanpier"sv;
}

}  // namespace

std::vector<UdpService> udp_access_services() {
  return {
      {"kerberos", "RFC 4120", {88}, {kerberos()}, is_kerberos},
      {"ldap", "RFC 4511, RFC 1798", {389}, {ldap()}, is_ldap},
      {"radius", "RFC 2865", {1812, 1645}, {radius()}, is_radius},
      {"ike", "RFC 7296", {500}, {ike()}, is_ike},
      {"ike", "RFC 7296, RFC 3948", {4500}, {zeros(4) + ike()}, is_ike},
      {"l2tp", "RFC 2661", {1701}, {l2tp()}, is_l2tp},
      {"openvpn", "OpenVPN wire protocol", {1194}, {openvpn()}, is_openvpn},
      {"dtls",
       "RFC 6347",
       {853, 2083, 4433, 4740, 5061, 5349, 5684, 10161, 10162},
       {dtls_client_hello()},
       is_dtls},
      {"quic", "RFC 8999, RFC 9000", {80, 443, 784, 8443, 8853}, {quic()}, is_quic},
  };
}

}  // namespace pier
