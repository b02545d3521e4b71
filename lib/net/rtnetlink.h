// Questions to the kernel's tables of routes, neighbours and links (rtnetlink(7)).
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"

namespace pier {

using ByteView = std::span<const std::byte>;

// The bytes as a value of the kernel's; nullopt where they are too few.
template <class Value>
[[nodiscard]] std::optional<Value> read_as(ByteView bytes) {
  if (bytes.size() < sizeof(Value)) return std::nullopt;
  Value value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// A request: its type, the struct that belongs to it, and attributes.
class RouteRequest {
 public:
  // `flags`: NLM_F_DUMP asks for the whole table, 0 for one entry.
  template <class Body>
  RouteRequest(std::uint16_t type, std::uint16_t flags, const Body& body) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(std::as_bytes(std::span(&header, 1)));
    append(std::as_bytes(std::span(&body, 1)));
  }
  void attribute(std::uint16_t type, ByteView value);
  // With its length filled in.
  [[nodiscard]] ByteView bytes();
  [[nodiscard]] bool is_dump() const;

 private:
  void append(ByteView bytes);
  std::vector<std::byte> bytes_;
};

// An entry of the answer: its type, the struct after the header, the attributes. Valid during the visit.
struct RouteEntry {
  std::uint16_t type = 0;
  ByteView body;  // the struct, with the attributes after it

  // Those that follow a struct of `Body`.
  template <class Body>
  [[nodiscard]] ByteView attributes() const {
    return body.size() < NLMSG_ALIGN(sizeof(Body)) ? ByteView{} : body.subspan(NLMSG_ALIGN(sizeof(Body)));
  }
};
using RouteVisit = std::function<void(const RouteEntry&)>;

// The value of the first attribute of this type; nullopt where there is none before the bytes end or are
// malformed.
[[nodiscard]] std::optional<ByteView> find_attribute(ByteView attributes, std::uint16_t type);

template <class Value>
[[nodiscard]] std::optional<Value> find_value(ByteView attributes, std::uint16_t type) {
  const auto found = find_attribute(attributes, type);
  return found ? read_as<Value>(*found) : std::nullopt;
}
// The address that the bytes begin with; nullopt where they are too few.
[[nodiscard]] std::optional<IpAddress> address_from(Family family, ByteView bytes, std::uint32_t zone = 0);
// The next router among the attributes of a route for `family`, which may be of the other one (RFC 8950).
[[nodiscard]] std::optional<IpAddress> find_gateway(ByteView attributes, Family family);

// Calls `visit` for each message of what one recv(2) gave, up to what ends a dump, which sets `done`. The
// errno of an NLMSG_ERROR or of an NLMSG_DONE, EBADMSG for the first malformed message (done, too), or 0.
[[nodiscard]] int visit_messages(ByteView datagram, bool& done, const RouteVisit& visit);

// A socket for such questions, one after the other. Needs no privilege.
class RouteSocket {
 public:
  // `groups`: RTMGRP_… of the changes that changes() tells. ErrorKind::local.
  [[nodiscard]] static Result<RouteSocket> open(std::uint32_t groups = 0);

  // Sends it and visits all of the answer. The code of the error is the kernel's answer: ENETUNREACH for no
  // route, ENOENT for no such entry. Waits for the kernel, which answers at once.
  [[nodiscard]] Result<void> ask(RouteRequest request, const RouteVisit& visit) const;
  // Visits what has changed since the last time; never waits. False when some of it was lost: then anything
  // may have.
  [[nodiscard]] bool changes(const RouteVisit& visit) const;

 private:
  explicit RouteSocket(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace pier
