// How a session ended, and who wants to hear of it: plain values, without the machinery.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"

namespace pier {

struct RelayResult {
  // Nothing when both sides ended well. The kind gives the exit code: failed for a reset and for bytes that
  // could not be sent or written, local for an input that could not be read, deadline for idleness.
  std::optional<Error> error;
  bool output_closed = false;  // O's reader has gone (row 7): exit 141, in silence
  bool peer_closed_first = false;
  std::uint64_t received = 0;  // bytes from N that O took (all that were read when nothing failed)
  std::uint64_t sent = 0;      // bytes that N's kernel buffer took
  Duration took{};
  // Where a program ran for the peer: its exit code, or 128+N for a signal.
  std::optional<int> exit_status;
};

// One peer: a client of a server, or the server a client has reached.
struct Session {
  std::uint64_t id = 1;  // counted from 1
  SocketAddress peer;
  SocketAddress local;
  bool datagram = false;  // there is no connection: the peer is whoever the datagrams come from and go to
  // Who brought it, where `peer` is whom a PROXY header names; shared, as most have none.
  std::shared_ptr<const SocketAddress> via = {};
};

// Hears of sessions as they come and go.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  virtual void connected(const Session& session) = 0;
  virtual void closed(const Session& session, const RelayResult& result) = 0;
  // A datagram of `size` bytes has come, from whom the session is with or, where that is a group, from
  // `sender`.
  virtual void datagram(const Session& session, const SocketAddress& sender, std::size_t size) {
    (void)session, (void)sender, (void)size;
  }
  // Somebody came and was sent away, before any session: `why` is a short phrase ("not allowed").
  virtual void refused(const SocketAddress& peer, std::string_view why) = 0;
  // Something a person should know that ends nothing: "no free descriptor: not accepting for now".
  virtual void note(std::string_view text) = 0;
};

}  // namespace pier
