#include "base/bytes.h"

#include <cstring>

namespace pier {

std::span<std::byte> ByteQueue::prepare() {
  if (!block_) block_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  if (begin_ == end_) begin_ = end_ = 0;
  // Move down only when the tail is used up: each byte moves at most once for each time the block fills.
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(block_.get(), block_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  return {block_.get() + end_, capacity_ - end_};
}

void ByteQueue::commit(std::size_t n) {
  end_ += n;
}

void ByteQueue::consume(std::size_t n) {
  begin_ += n;
}

bool ByteQueue::append(std::span<const std::byte> bytes) {
  if (bytes.size() > free()) return false;
  while (!bytes.empty()) {
    const auto room = prepare();
    const std::size_t n = room.size() < bytes.size() ? room.size() : bytes.size();
    std::memcpy(room.data(), bytes.data(), n);
    commit(n);
    bytes = bytes.subspan(n);
  }
  return true;
}

}  // namespace pier
