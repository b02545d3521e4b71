#include "proxy/socks5.h"

#include <algorithm>
#include <cerrno>

#include "proxy/refusal.h"
#include "proxy/socks_address.h"
#include "proxy/wire.h"

namespace pier {
namespace {

constexpr unsigned kVersion = 5;
constexpr unsigned kNoAuthentication = 0;
constexpr unsigned kPassword = 2;
constexpr unsigned kNoneFits = 0xff;
constexpr std::size_t kMostField = 255;

bool fits_field(std::string_view text) {
  return !text.empty() && text.size() <= kMostField;
}

}  // namespace

Socks5Client::Socks5Client(SocksCommand command, ProxyTarget target, std::optional<Credentials> credentials)
    : command_(command), target_(std::move(target)), credentials_(std::move(credentials)) {
  wire::put8(output_, kVersion);
  wire::put8(output_, credentials_ ? 2 : 1);
  wire::put8(output_, kNoAuthentication);
  if (credentials_) wire::put8(output_, kPassword);
}

void Socks5Client::ask() {
  wire::put8(output_, kVersion);
  wire::put8(output_, static_cast<unsigned>(command_));
  wire::put8(output_, 0);
  socks::write_address(output_, target_);
  stage_ = Stage::reply;
}

std::size_t Socks5Client::awaited() const {
  if (stage_ != Stage::reply) return 2;
  if (seen_.size() < 4) return 4;
  const auto address = socks::address_size(std::string_view(seen_).substr(3));
  return address ? 3 + *address : seen_.size() + 1;
}

Result<void> Socks5Client::judge_reply() {
  if (wire::get8(seen_, 0) != kVersion) return proxy_garbled("its answer is not SOCKS 5");
  if (seen_.size() < 2) return {};
  switch (wire::get8(seen_, 1)) {
    case 0:
      break;
    case 1:
      return proxy_refused(target_, "it failed, and does not say why");
    case 2:
      return proxy_refused(target_, "not allowed by its rules");
    case 3:
      return target_failed(target_, ENETUNREACH, "network is unreachable");
    case 4:
      return target_failed(target_, EHOSTUNREACH, "no route to host");
    case 5:
      return target_failed(target_, ECONNREFUSED, "connection refused");
    case 6:
      return target_failed(target_, ETIMEDOUT, "no answer (its TTL expired)");
    case 7:
      return proxy_refused(target_, command_ == SocksCommand::connect ? "it can't connect to TCP"
                                                                      : "it does not relay datagrams");
    case 8:
      return proxy_refused(target_, "it does not know this type of address");
    default:
      return proxy_garbled("its answer is not SOCKS 5");
  }
  const bool known = seen_.size() < 4 || socks::address_size(std::string_view(seen_).substr(3)) != 0;
  if (!known) return proxy_garbled("its answer has an address of no known type");
  return {};
}

Result<bool> Socks5Client::judge() {
  const unsigned code = wire::get8(seen_, 1);
  switch (stage_) {
    case Stage::method:
      if (wire::get8(seen_, 0) != kVersion) return proxy_garbled("its answer is not SOCKS 5");
      if (code == kNoneFits)
        return proxy_refused(target_, credentials_ ? "it takes neither no name nor name and password"
                                                   : "it wants a name and password (--proxy-auth-file)");
      if (code == kNoAuthentication) {
        ask();
      } else if (code == kPassword && credentials_) {
        stage_ = Stage::password;
        wire::put8(output_, 1);
        for (const std::string* field : {&credentials_->user, &credentials_->password}) {
          wire::put8(output_, static_cast<unsigned>(field->size()));
          output_ += *field;
        }
      } else {
        return proxy_garbled("it chose a way to authenticate that was not offered");
      }
      break;
    case Stage::password:
      if (wire::get8(seen_, 0) != 1) return proxy_garbled("its answer is not SOCKS 5");
      if (code != 0) return proxy_refused(target_, "name or password is wrong");
      ask();
      break;
    case Stage::reply:
      bound_ = socks::read_address(std::string_view(seen_).substr(3));
      return true;
  }
  seen_.clear();
  return false;
}

Result<Negotiation::Fed> Socks5Client::receive(std::string_view bytes) {
  if (!socks::can_write(target_))
    return proxy_refused(target_, "a name of more than 255 bytes can't be asked for");
  if (credentials_ && (!fits_field(credentials_->user) || !fits_field(credentials_->password)))
    return proxy_refused(target_, "name and password have 1 to 255 bytes each");
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t taken = std::min(awaited() - seen_.size(), bytes.size() - at);
    seen_ += bytes.substr(at, taken);
    at += taken;
    if (stage_ == Stage::reply)
      if (const auto fits = judge_reply(); !fits) return std::unexpected(fits.error());
    if (seen_.size() < awaited()) continue;
    const auto over = judge();
    if (!over) return std::unexpected(over.error());
    if (*over) return Fed{at, true};
  }
  return Fed{bytes.size(), false};
}

std::string wrap_datagram(const ProxyTarget& target, std::string_view payload) {
  std::string datagram(3, '\0');  // two reserved, and no fragment
  socks::write_address(datagram, target);
  datagram += payload;
  return datagram;
}

std::optional<ProxiedDatagram> unwrap_datagram(std::string_view datagram) {
  if (datagram.size() < 4 || wire::get16(datagram, 0) != 0 || wire::get8(datagram, 2) != 0)
    return std::nullopt;
  const std::string_view rest = datagram.substr(3);
  const auto size = socks::address_size(rest);
  if (!size || *size == 0 || *size > rest.size()) return std::nullopt;
  return ProxiedDatagram{socks::read_address(rest.substr(0, *size)), rest.substr(*size)};
}

}  // namespace pier
