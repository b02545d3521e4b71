// SOCKS 4a, the client's side (SOCKS: A protocol for TCP proxy across firewalls, by Y. Lee; SOCKS 4A: A
// simple extension, by Y. Lee): a name is resolved by the proxy, and there is no IPv6.
#pragma once

#include <string>

#include "proxy/negotiation.h"

namespace pier {

class Socks4Client final : public Negotiation {
 public:
  // `user`: the user id, without a zero byte; there is no password. The target is a name of at most 255 bytes
  // or an IPv4 literal; an IPv6 literal is an error of the first receive().
  explicit Socks4Client(ProxyTarget target, std::string_view user = {});

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;

 private:
  ProxyTarget target_;
  std::string seen_;
};

}  // namespace pier
