// The PROXY protocol, versions 1 and 2: a header in front of a connection that says between whom it really is
// (The PROXY protocol, versions 1 & 2, by W. Tarreau: proxy-protocol.txt of HAProxy).
#pragma once

#include <optional>
#include <string>

#include "net/address.h"
#include "proxy/negotiation.h"

namespace pier {

struct ProxyHeader {
  unsigned version = 0;
  // The two ends as the sender had them. Nothing for "UNKNOWN", "LOCAL" and families not known here: the
  // connection's own addresses are meant.
  std::optional<SocketAddress> source = {};
  std::optional<SocketAddress> destination = {};
  bool datagram = false;  // what the sender relays
};

// Reads either version. Strict: what differs from the document is refused as soon as the byte is there.
// Bounded: a version 1 line of at most 107 bytes, a version 2 header of at most kMostBytes. A checksum
// (PP2_TYPE_CRC32C) is checked where there is one; other TLVs are skipped.
class ProxyProtocolReader final : public Negotiation {
 public:
  static constexpr std::size_t kMostBytes = 4096;

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;

  // Once done.
  [[nodiscard]] const ProxyHeader& header() const { return header_; }

 private:
  // True when the header is whole.
  [[nodiscard]] Result<bool> take(char byte);

  std::string seen_;
  ProxyHeader header_;
};

// The header for a connection from `source` to `destination`. Version 1 knows only TCP over IP and says
// UNKNOWN for all else; version 2 also knows Unix sockets and datagrams. Where one end is IPv4 and the other
// IPv6, the former is written as mapped.
[[nodiscard]] std::string write_proxy_header(unsigned version, const SocketAddress& source,
                                             const SocketAddress& destination, bool datagram = false);

}  // namespace pier
