#include "proxy/socks4.h"

#include <algorithm>
#include <cerrno>

#include "net/address.h"
#include "proxy/refusal.h"
#include "proxy/wire.h"

namespace pier {
namespace {

constexpr std::size_t kReply = 8;  // version, code, port, address

}  // namespace

Socks4Client::Socks4Client(ProxyTarget target, std::string_view user) : target_(std::move(target)) {
  const auto literal = IpAddress::parse(target_.host);
  const bool v4 = literal && literal->family() == Family::ipv4;
  wire::put8(output_, 4);
  wire::put8(output_, 1);  // CONNECT
  wire::put16(output_, target_.port);
  output_ += v4 ? wire::bytes_of(*literal) : std::string_view("\0\0\0\1", 4);  // 0.0.0.x: a name follows
  output_ += user;
  output_ += '\0';
  if (!v4) output_ += target_.host + '\0';
}

Result<Negotiation::Fed> Socks4Client::receive(std::string_view bytes) {
  if (target_.host.find(':') != std::string::npos)
    return proxy_refused(target_, "SOCKS 4 has no IPv6; use socks5://");
  const std::size_t taken = std::min(kReply - seen_.size(), bytes.size());
  seen_ += bytes.substr(0, taken);
  if (!seen_.empty() && wire::get8(seen_, 0) != 0) return proxy_garbled("its answer is not SOCKS 4");
  if (seen_.size() >= 2) {
    switch (wire::get8(seen_, 1)) {
      case 90:
        break;
      case 91:
        return target_failed(target_, 0, "refused or not reached");  // it does not tell which
      case 92:
      case 93:
        return proxy_refused(target_, "it could not make sure of the user by identd");
      default:
        return proxy_garbled("its answer is not SOCKS 4");
    }
  }
  return Fed{taken, seen_.size() == kReply};
}

}  // namespace pier
