#include "cmd/nc/reach.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cmd/nc/names.h"
#include "event/race.h"
#include "net/socket.h"

namespace pier::nc {
namespace {

Transport transport_of(const Options& options) {
  if (options.unix_domain) return options.datagrams ? Transport::unix_dgram : Transport::unix_stream;
  return options.datagrams ? Transport::udp : Transport::tcp;
}

}  // namespace

std::string Destination::host() const {
  return options_.through_proxy() ? options_.proxy_host : options_.host;
}

bool Destination::look_up() {
  if (options_.unix_domain) return look_up_unix();
  const std::uint16_t port = options_.through_proxy() ? options_.proxy_port : options_.ports.front();
  const auto found = addresses_of(host(), options_.family, options_.numeric);
  if (!found) {
    voice_.warn("getaddrinfo for host \"" + host() + "\" port " + std::to_string(port) + ": " +
                found.error());
    return false;
  }
  for (const IpAddress& one : interleaved(*found)) addresses_.emplace_back(one, std::uint16_t{0});
  return look_up_source();
}

bool Destination::look_up_unix() {
  const auto address = SocketAddress::unix_path(options_.host);
  if (!address) {
    voice_.warn(address.error().message());
    return false;
  }
  addresses_ = {*address};
  if (options_.source.empty()) return true;
  const auto source = SocketAddress::unix_path(options_.source);
  if (!source) voice_.warn(source.error().message());
  if (source) source_ = *source;
  return source.has_value();
}

// Only addresses of the source's family can be reached from it.
bool Destination::look_up_source() {
  if (options_.source.empty()) return true;
  std::string why;
  for (const Family family : {addresses_.front().ip().family(), addresses_.back().ip().family()}) {
    const auto found = addresses_of(options_.source, family, options_.numeric);
    if (!found) {
      why = found.error();
      continue;
    }
    source_ = SocketAddress(found->front(), options_.source_port.value_or(0));
    std::erase_if(addresses_, [&](const SocketAddress& one) { return one.ip().family() != family; });
    return true;
  }
  voice_.warn("getaddrinfo: " + why);
  return false;
}

Destination::Reached Destination::reach(std::uint16_t port) {
  RacePlan plan;
  plan.transport = transport_of(options_);
  for (const SocketAddress& one : addresses_)
    plan.addresses.push_back(one.is_ip() ? SocketAddress(one.ip(), port) : one);
  plan.source = source_;
  if (!source_ && !options_.unix_domain) plan.source_port = options_.source_port;
  plan.options = options_.socket;
  // With 0 nc gives up at the first silence, and not before it has connected.
  if (options_.timeout != Duration::zero()) plan.deadline = Deadline::after(options_.timeout);
  RaceResult result;
  {
    const Race race(loop_, std::move(plan), [&](RaceResult ended) {
      result = std::move(ended);
      loop_.stop();
    });
    loop_.run();
  }
  const bool our_fault = result.setup && !result.winner && !result.timed_out;
  for (const Attempt& attempt : result.attempts)
    if (!our_fault || !attempt.local) tell_attempt(attempt);
  if (our_fault) {
    const std::string text = std::strerror(result.setup->code);
    voice_.warn(options_.unix_domain ? options_.host + ": " + text : result.setup->op + " failed: " + text);
  }
  return {std::move(result.winner), our_fault};
}

std::string Destination::host_with(const SocketAddress& peer) const {
  const std::string address = peer.ip().to_string();
  return options_.numeric || address == host() ? host() : host() + " (" + address + ")";
}

void Destination::tell_attempt(const Attempt& attempt) const {
  const bool no_answer = attempt.end == Attempt::End::no_answer;
  if (attempt.end != Attempt::End::failed && !no_answer) return;
  if (attempt.address.is_unix()) return voice_.warn(options_.host + ": " + std::strerror(attempt.code));
  // What keeps us from a proxy is an error of its own.
  if (!voice_.verbose() && !options_.through_proxy()) return;
  const std::string protocol = options_.datagrams ? "udp" : "tcp";
  const std::string why = no_answer ? std::string(" timed out: ") + std::strerror(EINPROGRESS)
                                    : std::string(" failed: ") + std::strerror(attempt.code);
  voice_.warn("connect to " + host_with(attempt.address) + " port " + std::to_string(attempt.address.port()) +
              " (" + protocol + ")" + why);
}

void Destination::tell_refused(const SocketAddress& peer) const {
  tell_attempt({.address = peer, .end = Attempt::End::failed, .code = ECONNREFUSED});
}

std::string Destination::title(const SocketAddress& peer, std::uint16_t port) const {
  const std::string protocol = options_.datagrams ? "udp" : "tcp";
  const std::string where = options_.through_proxy() ? options_.host : host_with(peer);
  return where + " " + std::to_string(port) + " port [" + protocol + "/" +
         service_of(port, options_.datagrams, options_.numeric) + "]";
}

}  // namespace pier::nc
