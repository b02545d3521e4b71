#include "relay/pump.h"

#include <algorithm>

namespace pier {

Pump::Pump(Stream& from, Stream& to, PumpOptions options)
    : from_(from), to_(to), tap_(std::move(options.tap)), fell_back_(std::move(options.fell_back)) {
  if (options.crlf) crlf_.emplace();
  const RawEnd source = from_.raw_input();
  const RawEnd destination = to_.raw_output();
  const bool seen = crlf_ || tap_ || !source.valid() || !destination.valid();
  const Way chosen = choose_way(source.kind, destination.kind, seen);
  if (chosen != Way::copy) transfer_.emplace(chosen, source, destination);
}

// Whether the kernel does not want to go on by itself, told once.
bool Pump::refused() {
  if (transfer_->refused() == 0) return false;
  if (fell_back_) fell_back_(transfer_->way(), transfer_->refused());
  fell_back_ = {};
  return true;
}

// What a refused transfer holds comes before anything that is copied.
void Pump::take_back() {
  if (!transfer_) return;
  while (transfer_->in_hand() > 0 && queue_.free() > 0) {
    const std::size_t taken = transfer_->take_back(queue_.prepare());
    if (taken == 0) break;
    queue_.commit(taken);
  }
  if (transfer_->in_hand() == 0) transfer_.reset();
}

Io Pump::fill(std::size_t limit) {
  if (!transfer_) return copy(limit);
  const Io io = transfer_->fill(limit);
  if (refused()) {
    take_back();
    return copy(limit);
  }
  drained_ = transfer_->source_drained();
  if (io.kind == Io::Kind::bytes) {
    read_ += io.count;
    if (is_straight(transfer_->way())) written_ += io.count;
  }
  return io;
}

Io Pump::copy(std::size_t limit) {
  if (!wants_input()) return Io::again();
  if (crlf_) return copy_filtered(limit);
  const std::span<std::byte> room = queue_.prepare();
  const std::span<std::byte> into = room.first(std::min(room.size(), limit));
  const Io io = from_.read(into);
  if (io.kind == Io::Kind::bytes) {
    if (tap_) tap_(into.first(io.count));
    queue_.commit(io.count);
    read_ += io.count;
  }
  note_drained(io, into.size());
  return io;
}

// A stream over a descriptor gives all that is there; one with something between, a record at a time.
void Pump::note_drained(const Io& io, std::size_t asked) {
  drained_ = io.count < asked && from_.raw_input().valid();
}

Io Pump::copy_filtered(std::size_t limit) {
  raw_.resize(std::min(queue_.free() / 2, limit));  // the filter doubles them at most
  const Io io = from_.read(raw_);
  if (io.kind == Io::Kind::bytes) {
    filtered_.clear();
    crlf_->apply(std::span(raw_).first(io.count), filtered_);
    if (tap_) tap_(filtered_);
    queue_.append(filtered_);
    read_ += io.count;
  }
  note_drained(io, raw_.size());
  return io;
}

Io Pump::drain() {
  std::size_t moved = 0;
  if (transfer_) {
    const Io io = transfer_->drain();
    moved = io.count;
    written_ += moved;
    if (!refused()) return io;
  }
  for (take_back(); !queue_.empty(); take_back()) {
    const Io io = to_.write(queue_.data());
    if (io.kind == Io::Kind::error) return io;
    if (io.kind != Io::Kind::bytes) break;
    queue_.consume(io.count);
    written_ += io.count;
    moved += io.count;
  }
  return moved > 0 ? Io::bytes(moved) : Io::again();
}

std::uint64_t Pump::left() const {
  return in_hand() + bytes_waiting(from_.raw_input()).value_or(0);
}

}  // namespace pier
