// The event loop: descriptors, timers, signals and children on one thread, over epoll(7), level-triggered.
//
// Every registration returns a handle; destroying the handle cancels it, and then its callback never runs,
// not even when the event was already waiting. A callback may destroy any handle, its own included. Handles
// must not outlive the loop.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace pier {

class Loop;

// What has happened on a descriptor. Errors and hang-ups are told whatever was asked for.
struct Ready {
  bool readable = false;  // EPOLLIN: read() will not block; at the end of a stream too
  bool writable = false;  // EPOLLOUT
  bool hangup = false;    // EPOLLHUP: both directions are over, or a pipe's writer has gone
  bool error = false;     // EPOLLERR: a reset, an ICMP error, or a pipe's reader has gone
};

enum class Interest : std::uint32_t {
  none = 0,  // errors and hang-ups only
  read = EPOLLIN,
  write = EPOLLOUT,
  both = EPOLLIN | EPOLLOUT,
};
[[nodiscard]] constexpr Interest interest(bool read, bool write) {
  return static_cast<Interest>((read ? EPOLLIN : 0U) | (write ? EPOLLOUT : 0U));
}

// A descriptor being watched. It is not owned, and must stay open as long as the watch is there.
class Watch {
 public:
  Watch() = default;
  Watch(Watch&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), id_(other.id_) {}
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { cancel(); }

  // What to wait for from now on.
  void set(Interest interest);
  // Says nothing at all, not even errors (which epoll would otherwise report again and again), until the next
  // set().
  void pause();
  void cancel();
  // The same for a descriptor that is closed before anything else happens, and of which no copy exists: the
  // kernel then forgets it by itself, and a system call is saved.
  void cancel_before_close();
  [[nodiscard]] bool active() const { return loop_ != nullptr; }

 private:
  friend class Loop;
  Watch(Loop* loop, std::uint64_t id) : loop_(loop), id_(id) {}
  Loop* loop_ = nullptr;
  std::uint64_t id_ = 0;
};

// A timer that fires once.
class Timer {
 public:
  Timer() = default;
  Timer(Timer&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), key_(other.key_) {}
  Timer& operator=(Timer&& other) noexcept;
  ~Timer() { cancel(); }
  void cancel();
  [[nodiscard]] bool active() const;  // still to fire

 private:
  friend class Loop;
  using Key = std::pair<TimePoint, std::uint64_t>;
  Timer(Loop* loop, Key key) : loop_(loop), key_(key) {}
  Loop* loop_ = nullptr;
  Key key_{};
};

class Loop {
 public:
  // Throws std::system_error when the kernel gives no epoll descriptor: nothing can work then.
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  using ReadyCallback = std::function<void(Ready)>;
  using Callback = std::function<void()>;

  // Watches a descriptor. A regular file, or a device without poll, is always ready for what is asked
  // (epoll(7): EPERM). The same descriptor may be watched once only.
  [[nodiscard]] Result<Watch> watch(int fd, Interest interest, ReadyCallback callback);

  // Calls back once, at `deadline` or as soon after as the loop gets to it; a deadline that never comes gives
  // an inactive timer.
  [[nodiscard]] Timer timer(const Deadline& deadline, Callback callback);

  // Blocks these signals for the process and calls back with the number of each that arrives (signalfd(2)).
  // Once per loop, before any thread is started.
  [[nodiscard]] Result<Watch> signals(std::initializer_list<int> numbers, std::function<void(int)> callback);

  // Calls back once with the wait status (wait(2)) when a child of ours ends, and reaps it. Over
  // pidfd_open(2).
  [[nodiscard]] Result<Watch> child(pid_t pid, std::function<void(int status)> callback);

  // Calls back from run() soon, after the callback now running. Not cancellable.
  void post(Callback callback);

  // Runs until stop(); a stop() before it makes it return at once. It can be run again afterwards.
  void run();
  void stop() { stopped_ = true; }

 private:
  friend class Watch;
  friend class Timer;
  struct Entry;

  void apply(Entry& entry, std::uint32_t events);
  void silence(Entry& entry);
  void dispatch(std::uint64_t id, std::uint32_t events);
  void run_posted();
  void run_timers();
  [[nodiscard]] int wait_milliseconds() const;

  Fd epoll_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<Entry>> entries_;
  std::vector<std::uint64_t> always_ready_;  // ids of entries epoll does not take
  std::map<Timer::Key, Callback> timers_;
  std::vector<Callback> posted_;
  bool stopped_ = false;
};

}  // namespace pier
