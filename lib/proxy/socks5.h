// SOCKS 5, the client's side (RFC 1928), with a name and password (RFC 1929), and the header of its UDP
// datagrams.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"
#include "proxy/negotiation.h"

namespace pier {

enum class SocksCommand : unsigned char { connect = 1, udp_associate = 3 };

class Socks5Client final : public Negotiation {
 public:
  // The target's name is resolved by the proxy. For udp_associate it is the address that datagrams will come
  // from, or 0.0.0.0 and 0 where that is not known yet. A name, a user or a password of more than 255 bytes,
  // or an empty one, cannot be said: an error of the first receive().
  Socks5Client(SocksCommand command, ProxyTarget target, std::optional<Credentials> credentials = {});

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;

  // Once done: the address that the proxy connects from, or for udp_associate the one that takes datagrams.
  // Its host may be 0.0.0.0 or ::, which stands for the proxy's own.
  [[nodiscard]] const ProxyTarget& bound() const { return bound_; }

 private:
  enum class Stage : unsigned char { method, password, reply };
  // How many bytes the answer that is awaited has, as far as that can be told; at least one more than are
  // here.
  [[nodiscard]] std::size_t awaited() const;
  // True when the dialogue is over.
  [[nodiscard]] Result<bool> judge();
  [[nodiscard]] Result<void> judge_reply();
  void ask();

  SocksCommand command_;
  ProxyTarget target_;
  std::optional<Credentials> credentials_;
  Stage stage_ = Stage::method;
  std::string seen_;
  ProxyTarget bound_;
};

// The datagram to send to the proxy for `target`: RFC 1928, section 7, in one fragment.
[[nodiscard]] std::string wrap_datagram(const ProxyTarget& target, std::string_view payload);

struct ProxiedDatagram {
  ProxyTarget from;
  std::string_view payload;  // within what was given
};
// A datagram of the proxy; nothing for one that is malformed or a fragment, which is to be dropped.
[[nodiscard]] std::optional<ProxiedDatagram> unwrap_datagram(std::string_view datagram);

}  // namespace pier
