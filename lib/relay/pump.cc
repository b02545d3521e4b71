#include "relay/pump.h"

#include <algorithm>

namespace pier {

Pump::Pump(Stream& from, Stream& to, PumpOptions options)
    : from_(from), to_(to), tap_(std::move(options.tap)) {
  if (options.crlf) crlf_.emplace();
}

Io Pump::fill(std::size_t limit) {
  if (!wants_input()) return Io::again();
  if (crlf_) return fill_filtered(limit);
  const std::span<std::byte> room = queue_.prepare();
  const std::span<std::byte> into = room.first(std::min(room.size(), limit));
  const Io io = from_.read(into);
  if (io.kind == Io::Kind::bytes) {
    if (tap_) tap_(into.first(io.count));
    queue_.commit(io.count);
    read_ += io.count;
  }
  return io;
}

Io Pump::fill_filtered(std::size_t limit) {
  raw_.resize(std::min(queue_.free() / 2, limit));  // the filter doubles them at most
  const Io io = from_.read(raw_);
  if (io.kind == Io::Kind::bytes) {
    filtered_.clear();
    crlf_->apply(std::span(raw_).first(io.count), filtered_);
    if (tap_) tap_(filtered_);
    queue_.append(filtered_);
    read_ += io.count;
  }
  return io;
}

Io Pump::drain() {
  std::size_t moved = 0;
  while (!queue_.empty()) {
    const Io io = to_.write(queue_.data());
    if (io.kind == Io::Kind::error) return io;
    if (io.kind != Io::Kind::bytes) break;
    queue_.consume(io.count);
    written_ += io.count;
    moved += io.count;
  }
  return moved > 0 ? Io::bytes(moved) : Io::again();
}

}  // namespace pier
