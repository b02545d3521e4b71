// One stream sent over several connections in turns: the sending half of connect --streams.
#pragma once

#include <vector>

#include "base/fd.h"
#include "base/sha256.h"
#include "event/loop.h"
#include "stream/handover_text.h"
#include "stream/line_input.h"
#include "stream/socket_stream.h"
#include "stream/stream.h"

namespace pier {

// What is written goes through a pair of sockets, and from there in blocks to the connections, each to the
// next; reading gives nothing but the end, once the other side has said that all has arrived with the same
// digest, or an error.
class StripeSender final : public Stream {
 public:
  // `fds`: at least one, connected, non-blocking and taken by the other side. `loop` must outlive it.
  StripeSender(Loop& loop, std::vector<Fd> fds);

  // Before anything else.
  [[nodiscard]] Result<void> start();

  [[nodiscard]] int read_fd() const override { return near_->read_fd(); }
  [[nodiscard]] int write_fd() const override { return near_->write_fd(); }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override { near_->finish_writing(); }
  void abort() override;
  [[nodiscard]] std::string error_text(int code) const override;

 private:
  void pump();
  bool fill();
  void read_receipt();
  void wrong(std::string why);
  void update_interest();

  // A turn: about what a connection's own buffer takes at first, so that the others are not held up.
  static constexpr std::size_t kBlock = 128 * 1024;

  Loop& loop_;
  std::vector<Fd> fds_;
  std::unique_ptr<SocketStream> near_;
  Fd far_;
  std::vector<Watch> watches_;
  Watch far_watch_;
  std::vector<std::byte> buffer_;  // the block, with its line in front
  std::size_t held_ = 0;           // bytes of it
  std::size_t sent_ = 0;           // of those
  std::size_t turn_ = 0;
  bool input_ended_ = false;
  Sha256 digest_;
  std::string own_digest_ = {};
  LineInput line_{kMostHandoverLine};
  bool done_ = false;
  std::string wrong_;
};

}  // namespace pier
