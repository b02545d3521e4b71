#include "stream/telnet_stream.h"

#include <algorithm>
#include <cerrno>

namespace pier {
namespace {

// Of data encoded at once, and of answers that the server does not take.
constexpr std::size_t kChunk = 16 * 1024;
constexpr std::size_t kMostOut = 64 * 1024;

}  // namespace

Io TelnetStream::read(std::span<std::byte> into) {
  for (;;) {
    const Io io = below_->read(into);
    if (io.kind != Io::Kind::bytes) return io;
    std::string replies;
    const std::size_t kept = filter_.take(into.first(io.count), replies);
    // After our end nothing can be answered, and nothing needs to be.
    if (!finishing_) out_ += replies;
    if (out_.size() > kMostOut) return Io::error(EPROTO);
    if (const Io sent = flush(); sent.kind == Io::Kind::error) return sent;
    if (kept > 0) return Io::bytes(kept);
  }
}

Io TelnetStream::write(std::span<const std::byte> from) {
  if (has_buffered_output()) {
    if (const Io io = flush(); io.kind == Io::Kind::error) return io;
    if (has_buffered_output()) return Io::again();
  }
  const std::size_t count = std::min(from.size(), kChunk);
  TelnetFilter::put(out_, from.first(count));
  if (const Io io = flush(); io.kind == Io::Kind::error) return io;
  return Io::bytes(count);
}

Io TelnetStream::flush() {
  std::size_t moved = 0;
  while (!out_.empty()) {
    const Io io = below_->write(std::as_bytes(std::span(out_)));
    if (io.kind == Io::Kind::error) return io;
    if (io.kind != Io::Kind::bytes) return moved > 0 ? Io::bytes(moved) : Io::again();
    out_.erase(0, io.count);
    moved += io.count;
  }
  if (finishing_ && !finished_) {
    finished_ = true;
    below_->finish_writing();
  }
  if (!below_->has_buffered_output()) return Io::bytes(moved);
  return below_->flush();
}

void TelnetStream::finish_writing() {
  finishing_ = true;
  (void)flush();  // what fails is told by the next read
}

std::string TelnetStream::error_text(int code) const {
  if (code == EPROTO && out_.size() > kMostOut)
    return "it asks for options without end, and does not read the answers";
  return below_->error_text(code);
}

}  // namespace pier
