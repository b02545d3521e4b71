#include "relay/datagram_reply.h"

namespace pier {
namespace {

class Echo final : public DatagramHandler {
 public:
  explicit Echo(DatagramLine& line) : line_(line) {}
  void received(std::span<const std::byte> datagram) override {
    (void)end_if_unreachable(line_, line_.send(datagram));
  }

 private:
  DatagramLine& line_;
};

class Discard final : public DatagramHandler {
 public:
  void received(std::span<const std::byte>) override {}
};

}  // namespace

std::unique_ptr<DatagramHandler> DatagramReply::serve(DatagramLine& line) {
  if (reply_ == Reply::echo) return std::make_unique<Echo>(line);
  return std::make_unique<Discard>();
}

}  // namespace pier
