#include "relay/pump.h"

namespace pier {

Pump::Pump(Stream& from, Stream& to, bool crlf) : from_(from), to_(to) {
  if (crlf) crlf_.emplace();
}

Io Pump::fill() {
  if (!has_room()) return Io::again();
  if (!crlf_) {
    const Io io = from_.read(queue_.prepare());
    if (io.kind == Io::Kind::bytes) {
      queue_.commit(io.count);
      read_ += io.count;
    }
    return io;
  }
  raw_.resize(queue_.free() / 2);  // the filter doubles them at most
  const Io io = from_.read(raw_);
  if (io.kind == Io::Kind::bytes) {
    filtered_.clear();
    crlf_->apply(std::span(raw_).first(io.count), filtered_);
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
