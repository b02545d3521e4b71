// Following a server to the port that it hands its client over to: --handover and --streams of connect.
#pragma once

#include <memory>

#include "event/connector.h"
#include "stream/handover_text.h"
#include "stream/passage.h"

namespace pier {

class HandoverClient final : public Passage {
 public:
  // `connect` says how the new connections are made; its endpoint and its source port are not used.
  // `streams`: 0 for a connection as any other, or 1 to kMostStreams over which one file goes in turns.
  HandoverClient(ConnectPlan connect, std::uint32_t streams)
      : connect_(std::move(connect)), streams_(streams) {}

  // Errors are of kind failed: no offer, nobody on the new port, or one who does not know the proof.
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> stream,
                                                 const Deadline& deadline, Done done) override;

 private:
  class Follow;

  ConnectPlan connect_;
  std::uint32_t streams_;
};

}  // namespace pier
