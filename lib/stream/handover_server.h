// Sending each client from the port that is known to one of its own, as FTP and TFTP do: --handover of a
// server. The lines are in stream/handover_text.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/step.h"
#include "stream/handshake.h"
#include "stream/stripe_receiver.h"

namespace pier {

// How long a client that has been sent there has to come to its port, with all its connections: long enough
// for lost SYNs (1, 2 and 4 s, RFC 6298), short enough that a port is not held for who will not come. In
// --help.
inline constexpr Duration kHandoverPatience = std::chrono::seconds(10);

class HandoverServer final : public Handshaker {
 public:
  struct Plan {
    std::function<std::string()> token;  // kHandoverToken hexadecimal digits that nobody can foretell
    bool streams = false;                // a client may come by several connections, with one file
    StepSink* steps = nullptr;
  };
  explicit HandoverServer(Plan plan) : plan_(std::move(plan)) {}

  using Handshaker::start;
  // The connection on the known port stays until the client has come to the other, or not: an error of kind
  // failed. Others than that client's host are sent away; a wrong claim from it is the end.
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> below, std::string peer,
                                                 const Deadline& deadline, Done done) override;

  // Tells those who have sent by several connections that all is where it belongs. Without it they take it
  // for lost.
  void confirm();

 private:
  class Offer;

  Plan plan_;
  std::vector<std::shared_ptr<StripeReceipt>> receipts_;
};

}  // namespace pier
