// A bounded queue of bytes: one side appends, the other consumes, and neither can make it grow past its
// limit.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace pier {

// The memory is one block, allocated at the first use. Not thread-safe.
class ByteQueue {
 public:
  explicit ByteQueue(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t free() const { return capacity_ - size(); }

  // Room to write into, at most free() bytes long and empty only when the queue is full; commit(n) then makes
  // the first n of them part of the queue.
  [[nodiscard]] std::span<std::byte> prepare();
  void commit(std::size_t n);

  // What is in the queue, oldest first; consume(n) drops the first n.
  [[nodiscard]] std::span<const std::byte> data() const { return {block_.get() + begin_, size()}; }
  void consume(std::size_t n);

  // Appends all of `bytes` and returns true, or nothing and returns false when they do not fit.
  bool append(std::span<const std::byte> bytes);

 private:
  std::size_t capacity_;
  std::unique_ptr<std::byte[]> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pier
