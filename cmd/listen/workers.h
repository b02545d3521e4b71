// --workers: servers on threads of their own, beside the one on the main thread. Each has its own loop,
// sockets and clients; limits, numbers and news are common to all.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "event/listener.h"
#include "event/loop.h"
#include "relay/result.h"
#include "relay/serve.h"
#include "relay/service.h"

namespace pier::server {

// Passes on to an observer what several threads tell, one at a time.
class LockedObserver final : public SessionObserver {
 public:
  explicit LockedObserver(SessionObserver& inner) : inner_(inner) {}  // not owned

  void connected(const Session& session) override {
    const std::lock_guard lock(mutex_);
    inner_.connected(session);
  }
  void closed(const Session& session, const RelayResult& result) override {
    const std::lock_guard lock(mutex_);
    inner_.closed(session, result);
  }
  void datagram(const Session& session, const SocketAddress& sender, std::size_t size) override {
    const std::lock_guard lock(mutex_);
    inner_.datagram(session, sender, size);
  }
  void refused(const SocketAddress& peer, std::string_view why) override {
    const std::lock_guard lock(mutex_);
    inner_.refused(peer, why);
  }
  void note(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    inner_.note(text);
  }

 private:
  SessionObserver& inner_;
  std::mutex mutex_;
};

class Workers {
 public:
  using MakeService = std::function<std::unique_ptr<Service>(Loop&)>;

  // `main` is where `ended` is called, whenever one has ended by itself: after drain(), or with the error
  // that it could not go on for. `observer` must take calls from any thread; none of what is referred to is
  // owned.
  Workers(Loop& main, SessionObserver& observer, std::function<void(const std::optional<Error>&)> ended);
  ~Workers();  // as end(false)
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Starts one for each listener; `plan` is that of each, but for its service. Once.
  [[nodiscard]] Result<void> start(std::vector<Listener> listeners, Stream& local, const ServePlan& plan,
                                   const MakeService& make_service);
  // Each accepts no more, and ends with its last client.
  void drain();
  // Ends all clients, as Server::end_now() does, and waits for the threads.
  void end(bool reset);
  [[nodiscard]] bool all_ended() const { return running_ == 0; }

 private:
  enum class Order : unsigned char { none, drain, end, end_with_resets };
  struct Worker;

  void give(Order order);
  void work(Worker& worker);
  void hear();

  Loop& main_;
  SessionObserver& observer_;
  std::function<void(const std::optional<Error>&)> ended_;
  std::atomic<Order> order_ = Order::none;
  Fd news_;  // an eventfd: how many have ended since it was read
  Watch news_watch_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t running_ = 0;
};

}  // namespace pier::server
