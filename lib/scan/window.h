// How many probes may be in flight: more while all goes well, half when too many get lost.
#pragma once

#include <algorithm>
#include <cstddef>

namespace pier {

// Grows by one with each probe that ends well until it was halved for the first time (slow start), and from
// then on by one in each window's worth of them, as TCP does (RFC 5681, section 3.1).
class Window {
 public:
  Window() = default;
  // Both at least 1; it never grows past `most`.
  Window(std::size_t start, std::size_t most)
      : size_(static_cast<float>(std::min(start, most))),
        most_(static_cast<float>(most)),
        slow_start_to_(static_cast<float>(most)) {}

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(size_); }
  void grow() { size_ = std::min(most_, size_ + (size_ < slow_start_to_ ? 1.0F : 1.0F / size_)); }
  // Halves it, down to kLeast.
  void back_off() {
    size_ = std::max(size_ / 2, std::min(kLeast, most_));
    slow_start_to_ = size_;
  }
  // This host has room for no more than `count`, at least 1: goes on from there, one at a time.
  void shrink_to(std::size_t count) {
    size_ = std::min(size_, static_cast<float>(std::max<std::size_t>(count, 1)));
    slow_start_to_ = size_;
  }

 private:
  // Fewer than these at a time, and a single silent port would stop a host's scan for a second.
  static constexpr float kLeast = 8;
  float size_ = 1;
  float most_ = 1;
  float slow_start_to_ = 1;
};

}  // namespace pier
