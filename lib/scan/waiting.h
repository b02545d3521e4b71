// Questions that wait, small enough to have hundreds of thousands of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pier {

struct Waiting {
  std::uint64_t index = 0;  // of the pair, in the plan
  std::uint8_t tries = 0;   // probes that went out and did not meet themselves
};

// A queue within a WaitingPool; empty when default-constructed. A value that the pool's functions change.
class WaitingList {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class WaitingPool;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
  std::uint32_t size_ = 0;
};

// The memory of many such queues, one for each host.
class WaitingPool {
 public:
  // All of them together: less than 2^32.
  [[nodiscard]] std::size_t size() const { return nodes_.size() - free_.size(); }

  void push(WaitingList& list, Waiting waiting) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.emplace_back();
    }
    const std::uint32_t at = free_.back();
    free_.pop_back();
    nodes_[at].waiting = waiting;
    if (list.empty())
      list.first_ = at;
    else
      nodes_[list.last_].next = at;
    list.last_ = at;
    ++list.size_;
  }
  // The oldest; `list` must not be empty, nor for pop().
  [[nodiscard]] const Waiting& front(const WaitingList& list) const { return nodes_[list.first_].waiting; }
  Waiting pop(WaitingList& list) {
    const std::uint32_t at = list.first_;
    list.first_ = nodes_[at].next;
    --list.size_;
    free_.push_back(at);
    return nodes_[at].waiting;
  }
  template <class Visit>
  void for_each(const WaitingList& list, Visit visit) const {
    std::uint32_t at = list.first_;
    for (std::uint32_t i = 0; i < list.size_; ++i, at = nodes_[at].next) visit(nodes_[at].waiting);
  }

 private:
  struct Node {
    Waiting waiting;
    std::uint32_t next = 0;
  };
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_;
};

}  // namespace pier
