// A few threads that do one piece of work together, again and again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace pier {

// The thread that calls run() is one of them. Made with one, there are no further threads. Signals are theirs
// too where the caller has not blocked them.
class Crew {
 public:
  // `size` at least 1.
  explicit Crew(unsigned size);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }

  // Calls `work` with each number from 0 to size() - 1, each on a thread of its own, and returns when all
  // have returned. `work` must not throw.
  void run(const std::function<void(unsigned)>& work);

 private:
  void wait_for_work(unsigned number);

  std::vector<std::thread> threads_;
  const std::function<void(unsigned)>* work_ = nullptr;
  std::atomic<std::uint32_t> round_{0};
  std::atomic<std::uint32_t> busy_{0};
  bool over_ = false;  // read after a change of round_
};

}  // namespace pier
