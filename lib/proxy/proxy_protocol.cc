#include "proxy/proxy_protocol.h"

#include <algorithm>
#include <vector>

#include "base/number.h"
#include "proxy/wire.h"

namespace pier {
namespace {

constexpr std::string_view kPrefix = "PROXY ";
constexpr std::size_t kMostLine = 107;  // section 2.1, with CR LF
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixed = 16;      // signature, version and command, family, length
constexpr std::size_t kUnixPath = 108;  // of each address, filled up with zeros
constexpr unsigned kTypeCrc32c = 0x03;

std::unexpected<Error> bad(std::string_view why) {
  return fail(ErrorKind::failed, "PROXY header", "", why);
}

bool begins_like(std::string_view seen, std::string_view wanted) {
  const std::size_t common = std::min(seen.size(), wanted.size());
  return seen.substr(0, common) == wanted.substr(0, common);
}

// CRC-32C (RFC 3720, appendix B.4), with the four bytes at `hole` taken as zeros.
std::uint32_t crc32c(std::string_view bytes, std::size_t hole) {
  std::uint32_t crc = ~0U;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    crc ^= i >= hole && i < hole + 4 ? 0U : wire::get8(bytes, i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

// --- version 1 ----------------------------------------------------------------------------------------

Result<SocketAddress> line_address(Family family, std::string_view host, std::string_view port) {
  const auto ip = IpAddress::parse(host);
  if (!ip || ip->family() != family || ip->zone() != 0)
    return bad("not an address of its family: " + quoted(host));
  const bool padded = port.size() > 1 && port.front() == '0';
  const auto number = parse_port_number(port);
  if (!number || padded) return bad("not a port: " + quoted(port));
  return SocketAddress(*ip, *number);
}

// `line` without its CR LF.
Result<ProxyHeader> parse_line(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::string_view rest = line.substr(kPrefix.size());;) {
    const std::size_t blank = rest.find(' ');
    words.push_back(rest.substr(0, blank));
    if (blank == std::string_view::npos) break;
    rest.remove_prefix(blank + 1);
  }
  ProxyHeader header{.version = 1};
  if (words[0] == "UNKNOWN") return header;  // whatever follows is to be ignored
  if ((words[0] != "TCP4" && words[0] != "TCP6") || words.size() != 5)
    return bad("not TCP4 or TCP6 with two addresses and two ports: " + quoted(line));
  const Family family = words[0] == "TCP4" ? Family::ipv4 : Family::ipv6;
  const auto source = line_address(family, words[1], words[3]);
  if (!source) return std::unexpected(source.error());
  const auto destination = line_address(family, words[2], words[4]);
  if (!destination) return std::unexpected(destination.error());
  header.source = *source;
  header.destination = *destination;
  return header;
}

// --- version 2 ----------------------------------------------------------------------------------------

SocketAddress unix_address(std::string_view field) {
  std::string name(field.substr(0, field.find('\0', 1)));  // an abstract one begins with a zero
  if (name.front() == '\0') name.front() = '@';
  if (name.size() > 1)
    if (const auto address = SocketAddress::unix_path(name)) return *address;
  sockaddr_storage unnamed{};
  unnamed.ss_family = AF_UNIX;
  return SocketAddress::from(unnamed, sizeof(sa_family_t));
}

// How many bytes the two addresses of a family take; nothing for one that is not known.
std::optional<std::size_t> addresses_size(unsigned family) {
  switch (family) {
    case 0:
      return 0;
    case 1:
      return 12;
    case 2:
      return 36;
    case 3:
      return 2 * kUnixPath;
    default:
      return std::nullopt;
  }
}

void take_addresses(std::string_view body, unsigned family, ProxyHeader& header) {
  if (family == 3) {
    header.source = unix_address(body.substr(0, kUnixPath));
    header.destination = unix_address(body.substr(kUnixPath, kUnixPath));
    return;
  }
  const Family ip = family == 1 ? Family::ipv4 : Family::ipv6;
  const std::size_t size = family == 1 ? 4 : 16;
  header.source = SocketAddress(wire::address_of(ip, body.substr(0, size)), wire::get16(body, 2 * size));
  header.destination =
      SocketAddress(wire::address_of(ip, body.substr(size, size)), wire::get16(body, 2 * size + 2));
}

// The type, length and value triples behind the addresses must fit, and a checksum among them must be right.
Result<void> check_extras(std::string_view whole, std::size_t at) {
  while (at < whole.size()) {
    if (whole.size() - at < 3) return bad("cut short in a TLV");
    const unsigned type = wire::get8(whole, at);
    const std::size_t length = wire::get16(whole, at + 1);
    at += 3;
    if (length > whole.size() - at) return bad("a TLV is longer than the header");
    if (type == kTypeCrc32c && (length != 4 || wire::get32(whole, at) != crc32c(whole, at)))
      return bad("its checksum is wrong");
    at += length;
  }
  return {};
}

Result<ProxyHeader> parse_binary(std::string_view whole) {
  const unsigned command = wire::get8(whole, 12) & 0xfU;
  const unsigned family = wire::get8(whole, 13) >> 4U;
  const unsigned transport = wire::get8(whole, 13) & 0xfU;
  const auto size = addresses_size(family);
  if (!size || transport > 2) return bad("an address family that is not known");
  ProxyHeader header{.version = 2};
  if (command == 0) return header;  // LOCAL: the rest is to be ignored
  const std::string_view body = whole.substr(kFixed);
  if (body.size() < *size) return bad("too short for its addresses");
  if (const auto fits = check_extras(whole, kFixed + *size); !fits) return std::unexpected(fits.error());
  if (family == 0 || transport == 0) return header;
  header.datagram = transport == 2;
  take_addresses(body, family, header);
  return header;
}

IpAddress as_v6(const IpAddress& ip) {
  if (ip.family() == Family::ipv6) return ip;
  std::string bytes(10, '\0');
  bytes += "\xff\xff";
  bytes += wire::bytes_of(ip);
  return wire::address_of(Family::ipv6, bytes);
}

std::string write_binary(const SocketAddress& source, const SocketAddress& destination, bool datagram) {
  std::string body;
  unsigned family = 0;
  if (source.is_ip() && destination.is_ip()) {
    const bool v4 = source.domain() == AF_INET && destination.domain() == AF_INET;
    family = v4 ? 1 : 2;
    for (const SocketAddress* address : {&source, &destination})
      body += wire::bytes_of(v4 ? address->ip() : as_v6(address->ip()));
    wire::put16(body, source.port());
    wire::put16(body, destination.port());
  } else if (source.is_unix() && destination.is_unix()) {
    family = 3;
    for (const SocketAddress* address : {&source, &destination}) {
      std::string field = address->path();
      if (field.starts_with('@')) field.front() = '\0';
      field.resize(kUnixPath);
      body += field;
    }
  }
  std::string header(kSignature);
  wire::put8(header, 0x21);  // version 2, PROXY
  wire::put8(header, family == 0 ? 0U : family << 4U | (datagram ? 2U : 1U));
  wire::put16(header, static_cast<unsigned>(body.size()));
  return header + body;
}

std::string write_line(const SocketAddress& source, const SocketAddress& destination) {
  if (!source.is_ip() || !destination.is_ip()) return "PROXY UNKNOWN\r\n";
  const bool v4 = source.domain() == AF_INET && destination.domain() == AF_INET;
  const auto text = [&](const SocketAddress& address) {
    const IpAddress ip = v4 ? address.ip() : as_v6(address.ip());
    return wire::address_of(ip.family(), wire::bytes_of(ip)).to_string();  // without a zone
  };
  return std::string(kPrefix) + (v4 ? "TCP4 " : "TCP6 ") + text(source) + " " + text(destination) + " " +
         std::to_string(source.port()) + " " + std::to_string(destination.port()) + "\r\n";
}

}  // namespace

Result<bool> ProxyProtocolReader::take(char byte) {
  seen_ += byte;
  if (begins_like(seen_, kPrefix)) {
    if (seen_.size() <= kPrefix.size()) return false;
    const bool ends = byte == '\n' && seen_[seen_.size() - 2] == '\r';
    if (!ends && (byte == '\n' || seen_[seen_.size() - 2] == '\r'))
      return bad("a line end that is not CR LF");
    if (!ends && seen_.size() >= kMostLine) return bad("a line of more than 107 bytes");
    if (!ends) return false;
    auto header = parse_line(std::string_view(seen_).substr(0, seen_.size() - 2));
    if (!header) return std::unexpected(header.error());
    header_ = *header;
    return true;
  }
  if (!begins_like(seen_, kSignature)) return bad("there is none: the connection begins with something else");
  if (seen_.size() < kFixed) {
    if (seen_.size() == 13 && (byte != 0x20 && byte != 0x21)) return bad("a version or command not known");
    return false;
  }
  const std::size_t whole = kFixed + wire::get16(seen_, 14);
  if (whole > kMostBytes) return bad("longer than 4096 bytes");
  if (seen_.size() < whole) return false;
  auto header = parse_binary(seen_);
  if (!header) return std::unexpected(header.error());
  header_ = *header;
  return true;
}

Result<Negotiation::Fed> ProxyProtocolReader::receive(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto whole = take(bytes[i]);
    if (!whole) return std::unexpected(whole.error());
    if (*whole) return Fed{i + 1, true};
  }
  return Fed{bytes.size(), false};
}

std::string write_proxy_header(unsigned version, const SocketAddress& source,
                               const SocketAddress& destination, bool datagram) {
  return version == 1 ? write_line(source, destination) : write_binary(source, destination, datagram);
}

}  // namespace pier
