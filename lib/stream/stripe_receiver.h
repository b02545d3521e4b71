// What came over several connections in turns, as one stream: the receiving half of connect --streams.
#pragma once

#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/sha256.h"
#include "stream/handover_text.h"
#include "stream/line_input.h"
#include "stream/stream.h"

namespace pier {

// What the sender is to be told once all is where it belongs, and over which connection.
struct StripeReceipt {
  Fd fd;
  std::string digest = {};  // empty until all has arrived and was compared
};

// The blocks are read in order, each from the next connection, so they need no place in memory. Its end is
// the END line whose digest fits; a connection that ends before, a line that does not belong and another
// digest are errors. It can't be written to: who sends by several connections hears nothing but the receipt.
class StripeReceiver final : public Stream {
 public:
  // `fds`: at least one, connected and non-blocking. The receipt, when it is whole, goes to `receipt`.
  StripeReceiver(std::vector<Fd> fds, std::shared_ptr<StripeReceipt> receipt);

  [[nodiscard]] int read_fd() const override { return turn_poll_.get(); }
  [[nodiscard]] int write_fd() const override { return fds_.front().get(); }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override {}
  void abort() override;
  [[nodiscard]] std::string error_text(int code) const override;

 private:
  [[nodiscard]] std::optional<Io> read_line();
  Io wrong(std::string why);
  void watch_turn(bool watch);

  std::vector<Fd> fds_;
  std::shared_ptr<StripeReceipt> receipt_;
  Fd turn_poll_;  // an epoll descriptor over the connection whose turn it is: readable when that is
                  // (epoll(7))
  std::size_t turn_ = 0;
  std::uint64_t left_ = 0;  // of the block
  LineInput line_{kMostHandoverLine};
  Sha256 digest_;
  bool ended_ = false;
  std::string wrong_;
};

}  // namespace pier
