// A dialogue in plain text that a fresh connection goes through, after which it leads further: a proxy's, a
// header in front, or what a server wants to hear before TLS.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "event/loop.h"
#include "stream/handshake.h"
#include "stream/stream.h"

namespace pier {

// What leads further; without a stream, the other side has closed this connection, and the same on a fresh
// one is to come further.
struct PassageEnd {
  std::unique_ptr<Stream> stream;
};

// One step of the way, for all connections that take it.
class Passage {
 public:
  using Done = std::function<void(Result<PassageEnd>)>;

  virtual ~Passage() = default;

  // Takes over a connection. `done` runs once, from the loop and never from within start(); it may destroy
  // what start() has returned, which otherwise cancels. What the other side has sent beyond the dialogue is
  // still to be read.
  [[nodiscard]] virtual std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> stream,
                                                         const Deadline& deadline, Done done) = 0;
};

// A Handshaker as a step of the way: TLS to a proxy.
class HandshakePassage final : public Passage {
 public:
  // `name` is the other side in errors: "proxy https://10.0.0.1:443".
  HandshakePassage(std::shared_ptr<Handshaker> handshaker, std::string name)
      : handshaker_(std::move(handshaker)), name_(std::move(name)) {}

  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> stream,
                                                 const Deadline& deadline, Done done) override {
    return handshaker_->start(loop, std::move(stream), name_, deadline,
                              [done = std::move(done)](Result<std::unique_ptr<Stream>> result) {
                                if (!result) return done(std::unexpected(result.error()));
                                done(PassageEnd{std::move(*result)});
                              });
  }

 private:
  std::shared_ptr<Handshaker> handshaker_;
  std::string name_;
};

}  // namespace pier
