#include "cmd/listen/workers.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace pier::server {
namespace {

Result<Fd> make_eventfd() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return system_error("eventfd", "", errno, ErrorKind::local);
  return fd;
}

void raise(const Fd& eventfd) {
  const std::uint64_t one = 1;
  (void)retry_eintr([&] { return ::write(eventfd.get(), &one, sizeof one); });
}

std::uint64_t lower(const Fd& eventfd) {
  std::uint64_t count = 0;
  const auto size = retry_eintr([&] { return ::read(eventfd.get(), &count, sizeof count); });
  return size == sizeof count ? count : 0;
}

}  // namespace

// Made and destroyed by the main thread; in between its own thread alone touches it, but for `wake`.
struct Workers::Worker {
  Fd wake;  // an eventfd: there is an order
  Loop loop;
  std::unique_ptr<Service> service;
  std::unique_ptr<Server> server;
  Watch wake_watch;
  std::optional<Error> error;  // read by the main thread once `ended`
  std::atomic<bool> ended = false;
  bool heard = false;  // of the main thread
  std::thread thread;
};

Workers::Workers(Loop& main, SessionObserver& observer,
                 std::function<void(const std::optional<Error>&)> ended)
    : main_(main), observer_(observer), ended_(std::move(ended)) {}

Workers::~Workers() {
  end(false);
}

Result<void> Workers::start(std::vector<Listener> listeners, Stream& local, const ServePlan& plan,
                            const MakeService& make_service) {
  if (listeners.empty()) return {};
  auto news = make_eventfd();
  if (!news) return std::unexpected(news.error());
  news_ = std::move(*news);
  auto watch = main_.watch(news_.get(), Interest::read, [this](Ready) { hear(); });
  if (!watch) return std::unexpected(watch.error());
  news_watch_ = std::move(*watch);
  for (Listener& listener : listeners) {
    auto wake = make_eventfd();
    if (!wake) return std::unexpected(wake.error());
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
    worker.wake = std::move(*wake);
    worker.service = make_service(worker.loop);
    ServePlan own = plan;
    own.service = worker.service.get();
    worker.server = std::make_unique<Server>(worker.loop, std::move(listener), local, own, observer_,
                                             [&worker](const RelayResult& result) {
                                               worker.error = result.error;
                                               worker.loop.stop();
                                             });
    if (const auto started = worker.server->start(); !started) return started;
    auto woken = worker.loop.watch(worker.wake.get(), Interest::read, [this, &worker](Ready) {
      (void)lower(worker.wake);
      order_ == Order::drain ? worker.server->drain() : worker.loop.stop();
    });
    if (!woken) return std::unexpected(woken.error());
    worker.wake_watch = std::move(*woken);
  }
  for (const auto& worker : workers_) {
    try {
      worker->thread = std::thread([this, &worker = *worker] { work(worker); });
    } catch (const std::system_error& error) {
      return system_error("start a thread", "", error.code().value(), ErrorKind::local);
    }
    ++running_;
  }
  return {};
}

void Workers::work(Worker& worker) {
  worker.loop.run();
  worker.server->end_now(order_ == Order::end_with_resets);
  worker.ended = true;
  raise(news_);
}

void Workers::hear() {
  (void)lower(news_);
  for (const auto& worker : workers_) {
    if (worker->heard || !worker->ended) continue;
    worker->heard = true;
    --running_;
    ended_(worker->error);
  }
}

void Workers::give(Order order) {
  order_ = order;
  for (const auto& worker : workers_) raise(worker->wake);
}

void Workers::drain() {
  give(Order::drain);
}

void Workers::end(bool reset) {
  give(reset ? Order::end_with_resets : Order::end);
  for (const auto& worker : workers_)
    if (worker->thread.joinable()) worker->thread.join();
  news_watch_.cancel();
  workers_.clear();
  running_ = 0;
}

}  // namespace pier::server
