// A Negotiation held over a socket: the I/O that the protocols of this folder leave to others.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/address.h"
#include "net/step.h"
#include "proxy/negotiation.h"
#include "stream/passage.h"

namespace pier {

// On a plain socket bytes are looked at before they are taken (MSG_PEEK), so none beyond the dialogue leaves
// it; from another stream they are put back in front (PrefixStream).
class NegotiatedPassage final : public Passage {
 public:
  // How it begins: with some bytes, or a dialogue, or both one after the other. Without a dialogue it is over
  // when the bytes are sent.
  struct Opening {
    std::string bytes;
    std::unique_ptr<Negotiation> dialogue;
  };
  // For one connection, between these addresses.
  using Make = std::function<Opening(const SocketAddress& local, const SocketAddress& peer)>;
  // Looks at a dialogue that is done; true where it is to be held again on a fresh connection.
  using Over = std::function<bool(Negotiation&)>;

  // What it is called in errors and steps.
  struct Label {
    std::string call;       // of the step: "proxy"
    std::string name;       // who is spoken to: "proxy socks5://10.0.0.1:1080"; in errors of the dialogue it
                            // takes the place of the word "proxy"
    std::string what = {};  // what is asked for: "db:5432"
  };

  // `steps` may be nullptr, and must outlive this.
  NegotiatedPassage(Make make, Label label, StepSink* steps, Over over = {});

  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> stream,
                                                 const Deadline& deadline, Done done) override;

 private:
  class Dialogue;

  Make make_;
  Label label_;
  StepSink* steps_;
  Over over_;
};

}  // namespace pier
