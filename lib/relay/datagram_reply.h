// What a server answers to datagrams by itself: the same back (--echo, RFC 862), or nothing (--discard,
// RFC 863).
#pragma once

#include <memory>

#include "relay/datagram_server.h"
#include "relay/reply.h"

namespace pier {

// An echo for which the socket has no room is lost.
class DatagramReply final : public DatagramService {
 public:
  explicit DatagramReply(Reply reply) : reply_(reply) {}
  [[nodiscard]] std::unique_ptr<DatagramHandler> serve(DatagramLine& line) override;

 private:
  Reply reply_;
};

}  // namespace pier
