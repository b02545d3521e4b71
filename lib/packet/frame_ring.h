// Sends frames by a ring of descriptors in memory that is shared with the kernel (AF_XDP).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/mapping.h"

namespace pier {

// A packet that the kernel did not take.
struct SendFailure {
  std::uint64_t tag = 0;
  unsigned interface = 0;
  int code = 0;  // errno
};

// One interface's first transmit queue, past the host's queues and firewall as PACKET_QDISC_BYPASS. Copy mode
// (linux/if_xdp.h, the kernel's Documentation/networking/af_xdp.rst): every interface can, no program is put
// into it, its queues stay with the kernel, and CAP_NET_RAW is enough. A packet costs two thirds of what it
// costs by sendmmsg() on a packet socket: no message header, address and vector to be copied and checked.
// 2 MiB, which count as locked memory (RLIMIT_MEMLOCK) for those without CAP_IPC_LOCK.
class FrameRing {
 public:
  static constexpr std::size_t kMostFrame = 2048;

  // ErrorKind::local where the kernel has none, or another program has that queue.
  [[nodiscard]] static Result<FrameRing> open(unsigned interface);

  [[nodiscard]] unsigned interface() const { return interface_; }
  // Frames that add() can take now.
  [[nodiscard]] std::size_t room() const { return free_.size(); }
  // Where the next frame is to be written, kMostFrame bytes. Only when there is room().
  [[nodiscard]] std::uint8_t* next() const { return frames_.data() + free_.back(); }
  // Queues what was written there.
  void add(std::uint64_t tag, std::size_t size);
  // How many the kernel has not taken yet.
  [[nodiscard]] std::size_t queued() const { return added_ - sent(); }

  // Has the kernel take what is queued, and appends what it did not want to `failures`. False when the
  // interface's queue is full: the rest stays queued.
  [[nodiscard]] bool flush(std::vector<SendFailure>& failures);
  // After a failure, nothing more can be sent by it: the interface is down, or gone.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  // More than the transmit queues of most cards hold: they give a frame back when it has left.
  static constexpr std::uint32_t kFrames = 1024;
  static constexpr std::uint32_t kMask = kFrames - 1;
  struct Descriptors {
    Mapping memory;
    std::uint32_t* producer = nullptr;
    std::uint32_t* consumer = nullptr;
    std::size_t first = 0;  // descriptor, in the memory
  };

  FrameRing(Fd fd, unsigned interface) : fd_(std::move(fd)), interface_(interface) {}
  [[nodiscard]] Result<void> set_up();
  // How many descriptors the kernel has taken.
  [[nodiscard]] std::uint32_t sent() const;
  void take_back();
  void repeat(std::uint32_t at, std::vector<SendFailure>& failures);

  Mapping frames_;  // outlives the socket
  Fd fd_;
  unsigned interface_;
  Descriptors out_;
  Descriptors done_;
  std::uint32_t added_ = 0;          // descriptors, ever, modulo 2^32
  std::vector<std::uint64_t> free_;  // frames, by their place
  std::vector<std::uint64_t> tags_;  // by descriptor
  std::uint32_t thrown_away_ = 0;    // after those that the kernel says it has taken
  bool broken_ = false;
};

}  // namespace pier
