#include "packet/frame_ring.h"

#include <linux/if_xdp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pier {
namespace {

std::uint32_t load(std::uint32_t* at) {
  return std::atomic_ref(*at).load(std::memory_order_acquire);
}
void store(std::uint32_t* at, std::uint32_t value) {
  std::atomic_ref(*at).store(value, std::memory_order_release);
}

Result<void> set(const Fd& fd, int option, const auto& value, std::string_view name) {
  if (::setsockopt(fd.get(), SOL_XDP, option, &value, sizeof value) == 0) return {};
  return system_error(std::string(name), "AF_XDP", errno, ErrorKind::local);
}

}  // namespace

Result<FrameRing> FrameRing::open(unsigned interface) {
  Fd fd(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error("socket", "AF_XDP", errno, ErrorKind::local);
  FrameRing ring(std::move(fd), interface);
  if (auto ready = ring.set_up(); !ready) return std::unexpected(ready.error());
  return ring;
}

Result<void> FrameRing::set_up() {
  auto frames = Mapping::make(-1, std::size_t{kFrames} * kMostFrame);
  if (!frames) return std::unexpected(frames.error());
  frames_ = std::move(*frames);
  xdp_umem_reg memory{};
  memory.addr = reinterpret_cast<std::uintptr_t>(frames_.data());
  memory.len = frames_.size();
  memory.chunk_size = kMostFrame;
  if (auto done = set(fd_, XDP_UMEM_REG, memory, "XDP_UMEM_REG"); !done) return done;
  // The ring of frames to be filled is there for a socket that receives; it has to be all the same.
  for (const int which : {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING})
    if (auto done = set(fd_, which, kFrames, "AF_XDP ring"); !done) return done;
  xdp_mmap_offsets offsets{};
  socklen_t size = sizeof offsets;
  if (::getsockopt(fd_.get(), SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0)
    return system_error("XDP_MMAP_OFFSETS", "AF_XDP", errno, ErrorKind::local);
  const auto map = [&](Descriptors& ring, const xdp_ring_offset& at, std::size_t entry,
                       off_t which) -> Result<void> {
    auto mapped = Mapping::make(fd_.get(), at.desc + kFrames * entry, which);
    if (!mapped) return std::unexpected(mapped.error());
    ring.memory = std::move(*mapped);
    ring.producer = ring.memory.at<std::uint32_t>(at.producer);
    ring.consumer = ring.memory.at<std::uint32_t>(at.consumer);
    ring.first = at.desc;
    return {};
  };
  if (auto done = map(out_, offsets.tx, sizeof(xdp_desc), XDP_PGOFF_TX_RING); !done) return done;
  if (auto done =
          map(done_, offsets.cr, sizeof(std::uint64_t), static_cast<off_t>(XDP_UMEM_PGOFF_COMPLETION_RING));
      !done)
    return done;
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = interface_;
  address.sxdp_flags = XDP_COPY;
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error("bind", "AF_XDP", errno, ErrorKind::local);
  for (std::uint32_t i = 0; i < kFrames; ++i) free_.push_back(std::uint64_t{i} * kMostFrame);
  tags_.resize(kFrames);
  return {};
}

std::uint32_t FrameRing::sent() const {
  return load(out_.consumer);
}

void FrameRing::add(std::uint64_t tag, std::size_t size) {
  auto* descriptors = out_.memory.at<xdp_desc>(out_.first);
  descriptors[added_ & kMask] = {.addr = free_.back(), .len = static_cast<std::uint32_t>(size), .options = 0};
  tags_[added_ & kMask] = tag;
  free_.pop_back();
  ++added_;
}

void FrameRing::take_back() {
  const auto* places = done_.memory.at<std::uint64_t>(done_.first);
  std::uint32_t at = *done_.consumer;
  for (const std::uint32_t end = load(done_.producer); at != end; ++at) free_.push_back(places[at & kMask]);
  store(done_.consumer, at);
}

bool FrameRing::flush(std::vector<SendFailure>& failures) {
  store(out_.producer, added_);
  while (queued() > 0) {
    const std::uint32_t before = sent();
    // It takes some of them with each call, and says EAGAIN when there are more.
    const bool all =
        retry_eintr([&] { return ::sendto(fd_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0); }) >= 0;
    const int code = all ? 0 : errno;
    take_back();
    const bool some = sent() != before;
    if (some) thrown_away_ = 0;
    if (code == EBUSY) {
      // The last that it took, the driver threw away. It does not say that it has taken that one when it is
      // the first of a call, but with the next that it sends.
      repeat(some ? sent() - 1 : before + thrown_away_++, failures);
      return false;
    }
    if (some) continue;
    if (code == 0 || code == EAGAIN || code == ENOBUFS || code == ENOMEM) return false;
    broken_ = true;
    for (std::uint32_t at = before; at != added_; ++at)
      failures.push_back({tags_[at & kMask], interface_, code});
    return true;
  }
  take_back();
  return true;
}

// The kernel took it, and the driver threw it away.
void FrameRing::repeat(std::uint32_t at, std::vector<SendFailure>& failures) {
  const std::uint64_t tag = tags_[at & kMask];
  if (free_.empty()) {
    failures.push_back({tag, interface_, ENOBUFS});
    return;
  }
  const xdp_desc old = out_.memory.at<xdp_desc>(out_.first)[at & kMask];
  std::memmove(next(), frames_.data() + old.addr, old.len);
  add(tag, old.len);
  store(out_.producer, added_);
}

}  // namespace pier
