#include "proxy/socks_server.h"

#include <algorithm>

#include "net/host_name.h"
#include "proxy/socks_address.h"
#include "proxy/wire.h"

namespace pier {
namespace {

// A user id of SOCKS 4 has no limit of its own.
constexpr std::size_t kMostField = 255;

std::unexpected<Error> bad(std::string_view why) {
  return fail(ErrorKind::failed, "SOCKS", "", why);
}

// The code of a SOCKS 5 reply (RFC 1928, section 6).
unsigned code_of(ProxyRefusal why) {
  switch (why) {
    case ProxyRefusal::not_allowed:
      return 2;
    case ProxyRefusal::network_unreachable:
      return 3;
    case ProxyRefusal::host_unreachable:
    case ProxyRefusal::unknown_name:
      return 4;
    case ProxyRefusal::refused:
      return 5;
    case ProxyRefusal::no_answer:
      return 6;
    case ProxyRefusal::general:
      break;
  }
  return 1;
}

}  // namespace

SocksServer::SocksServer(CheckCredentials check) : check_(std::move(check)) {}

std::size_t SocksServer::awaited() const {
  const std::size_t one_more = seen_.size() + 1;
  switch (stage_) {
    case Stage::version:
      return 1;
    case Stage::socks4:
      return seen_.size() < 8 ? 8 : one_more;  // the user id and the name end with a zero
    case Stage::methods:
      return seen_.size() < 2 ? 2 : 2 + std::size_t{wire::get8(seen_, 1)};
    case Stage::password: {
      if (seen_.size() < 2) return 2;
      const std::size_t user = wire::get8(seen_, 1);
      return seen_.size() < 3 + user ? 3 + user : 3 + user + wire::get8(seen_, 2 + user);
    }
    case Stage::request: {
      if (seen_.size() < 4) return 4;
      const auto address = socks::address_size(std::string_view(seen_).substr(3));
      return address ? 3 + *address : one_more;
    }
  }
  return one_more;
}

Result<bool> SocksServer::judge_socks4() {
  const auto refuse4 = [&](std::string_view why) {
    refuse(ProxyRefusal::not_allowed);
    return bad(why);
  };
  if (wire::get8(seen_, 1) != 1) return refuse4("a command other than CONNECT");
  if (check_) return refuse4("SOCKS 4 has no password, and one is needed here");
  const std::size_t user_end = seen_.find('\0', 8);
  if (user_end == std::string::npos)
    return seen_.size() > 8 + kMostField ? Result<bool>(refuse4("a user id of more than 255 bytes")) : false;
  target_.port = wire::get16(seen_, 2);
  const std::uint32_t ip = wire::get32(seen_, 4);
  if (ip == 0 || ip > 255) {  // 0.0.0.x with x other than 0: a name follows
    target_.host = IpAddress::v4(ip).to_string();
    return true;
  }
  const std::size_t name_end = seen_.find('\0', user_end + 1);
  if (name_end == std::string::npos)
    return seen_.size() > user_end + 1 + kMostField ? Result<bool>(refuse4("a name of more than 255 bytes"))
                                                    : false;
  target_.host = seen_.substr(user_end + 1, name_end - user_end - 1);
  if (!check_host(target_.host)) return refuse4("not a host: " + quoted(target_.host));
  return true;
}

Result<bool> SocksServer::judge_request() {
  if (wire::get8(seen_, 0) != 5) return bad("not a request of SOCKS 5");
  if (wire::get8(seen_, 1) != 1) {
    reply5(7, {});
    return bad("a command other than CONNECT");
  }
  if (socks::address_size(std::string_view(seen_).substr(3)).value_or(0) == 0) {
    reply5(8, {});
    return bad("an address of no known type");
  }
  target_ = socks::read_address(std::string_view(seen_).substr(3));
  if (!check_host(target_.host)) {
    reply5(1, {});
    return bad("not a host: " + quoted(target_.host));
  }
  return true;
}

Result<bool> SocksServer::judge() {
  switch (stage_) {
    case Stage::version:
      if (seen_ != "\4" && seen_ != "\5") return bad("the connection begins with something else");
      stage_ = seen_ == "\4" ? Stage::socks4 : Stage::methods;
      return false;
    case Stage::socks4:
      return judge_socks4();
    case Stage::methods: {
      const char wanted = check_ ? '\2' : '\0';
      const bool offered = seen_.find(wanted, 2) != std::string::npos;
      output_ += '\5';
      output_ += offered ? wanted : '\xff';
      if (!offered)
        return bad(check_ ? "the client offers no name and password, and they are needed here"
                          : "the client wants to authenticate, and there is no way to here");
      stage_ = check_ ? Stage::password : Stage::request;
      break;
    }
    case Stage::password: {
      if (wire::get8(seen_, 0) != 1) return bad("not the name and password of SOCKS 5");
      const std::size_t user = wire::get8(seen_, 1);
      const std::string_view all(seen_);
      const bool good = check_(all.substr(2, user), all.substr(3 + user));
      output_ += '\1';
      output_ += good ? '\0' : '\1';
      if (!good) return bad("wrong name or password");
      stage_ = Stage::request;
      break;
    }
    case Stage::request:
      return judge_request();
  }
  seen_.clear();
  return false;
}

Result<Negotiation::Fed> SocksServer::receive(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t taken = std::min(awaited() - seen_.size(), bytes.size() - at);
    seen_ += bytes.substr(at, taken);
    at += taken;
    if (seen_.size() < awaited() && stage_ != Stage::socks4) continue;
    if (stage_ == Stage::socks4 && seen_.size() < 8) continue;
    const auto known = judge();
    if (!known) return std::unexpected(known.error());
    if (*known) return Fed{at, true};
  }
  return Fed{bytes.size(), false};
}

void SocksServer::reply5(unsigned code, const SocketAddress& address) {
  wire::put8(output_, 5);
  wire::put8(output_, code);
  wire::put8(output_, 0);
  const IpAddress ip = address.is_ip() ? address.ip().unmapped() : IpAddress();
  socks::write_address(output_, {IpAddress(ip.family(), ip.bytes()).to_string(), address.port()});
}

void SocksServer::connected(const SocketAddress& local) {
  if (stage_ != Stage::socks4) return reply5(0, local);
  const bool v4 = local.is_ip() && local.ip().unmapped().family() == Family::ipv4;
  wire::put8(output_, 0);
  wire::put8(output_, 90);
  wire::put16(output_, local.port());
  output_ += wire::bytes_of(v4 ? local.ip().unmapped() : IpAddress());
}

void SocksServer::refuse(ProxyRefusal why) {
  if (stage_ != Stage::socks4) return reply5(code_of(why), {});
  output_ += std::string_view("\0\x5b\0\0\0\0\0\0", 8);
}

}  // namespace pier
