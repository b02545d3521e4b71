#include "event/loop.h"

#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <system_error>

namespace pier {

struct Loop::Entry {
  std::uint64_t id = 0;
  int fd = -1;
  ReadyCallback callback;
  std::uint32_t events = 0;
  bool in_epoll = false;
  bool always_ready = false;
  bool cancelled = false;
  Fd owned;  // a signalfd or pidfd made by the loop
};

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    cancel();
    loop_ = std::exchange(other.loop_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void Watch::set(Interest interest) {
  if (loop_ != nullptr) loop_->apply(*loop_->entries_.at(id_), static_cast<std::uint32_t>(interest));
}

void Watch::pause() {
  if (loop_ != nullptr) loop_->silence(*loop_->entries_.at(id_));
}

void Watch::cancel() {
  if (loop_ == nullptr) return;
  pause();
  const auto found = loop_->entries_.find(id_);
  found->second->cancelled = true;
  if (found->second->always_ready) std::erase(loop_->always_ready_, id_);
  loop_->entries_.erase(found);
  loop_ = nullptr;
}

void Watch::cancel_before_close() {
  if (loop_ == nullptr) return;
  loop_->entries_.at(id_)->in_epoll = false;
  cancel();
}

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    cancel();
    loop_ = std::exchange(other.loop_, nullptr);
    key_ = other.key_;
  }
  return *this;
}

void Timer::cancel() {
  if (loop_ != nullptr) loop_->timers_.erase(key_);
  loop_ = nullptr;
}

bool Timer::active() const {
  return loop_ != nullptr && loop_->timers_.contains(key_);
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_.valid()) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Loop::~Loop() = default;

void Loop::silence(Entry& entry) {
  if (entry.in_epoll) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry.fd, nullptr);
  entry.in_epoll = false;
  entry.events = 0;
}

void Loop::apply(Entry& entry, std::uint32_t events) {
  if (entry.always_ready || (entry.in_epoll && entry.events == events)) {
    entry.events = events;
    return;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry.id;
  const int operation = entry.in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_.get(), operation, entry.fd, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  entry.in_epoll = true;
  entry.events = events;
}

Result<Watch> Loop::watch(int fd, Interest interest, ReadyCallback callback) {
  auto entry = std::make_shared<Entry>();
  entry->id = next_id_++;
  entry->fd = fd;
  entry->callback = std::move(callback);
  epoll_event event{};
  event.events = static_cast<std::uint32_t>(interest);
  event.data.u64 = entry->id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) {
    entry->in_epoll = true;
  } else if (errno == EPERM) {
    entry->always_ready = true;
    always_ready_.push_back(entry->id);
  } else {
    return system_error("epoll_ctl", "descriptor " + std::to_string(fd), errno, ErrorKind::local);
  }
  entry->events = event.events;
  const std::uint64_t id = entry->id;
  entries_.emplace(id, std::move(entry));
  return Watch(this, id);
}

Timer Loop::timer(const Deadline& deadline, Callback callback) {
  if (deadline.never()) return {};
  const Timer::Key key{*deadline.at(), next_id_++};
  timers_.emplace(key, std::move(callback));
  return {this, key};
}

Result<Watch> Loop::signals(std::initializer_list<int> numbers, std::function<void(int)> callback) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return system_error("signalfd", "", errno, ErrorKind::local);
  const int number = fd.get();
  auto watched = watch(number, Interest::read, [number, callback = std::move(callback)](Ready) {
    signalfd_siginfo info{};
    if (::read(number, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      callback(static_cast<int>(info.ssi_signo));
  });
  if (watched) entries_.at(watched->id_)->owned = std::move(fd);
  return watched;
}

Result<Watch> Loop::child(pid_t pid, std::function<void(int)> callback) {
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.valid())
    return system_error("pidfd_open", "process " + std::to_string(pid), errno, ErrorKind::local);
  const std::uint64_t id = next_id_;  // what watch() will give it
  auto watched = watch(fd.get(), Interest::read, [this, id, pid, callback = std::move(callback)](Ready) {
    int status = 0;
    const bool reaped = retry_eintr([&] { return ::waitpid(pid, &status, WNOHANG); }) == pid;
    silence(*entries_.at(id));  // the descriptor of a process that has ended stays readable
    if (reaped) callback(status);
  });
  if (watched) entries_.at(watched->id_)->owned = std::move(fd);
  return watched;
}

void Loop::post(Callback callback) {
  posted_.push_back(std::move(callback));
}

void Loop::dispatch(std::uint64_t id, std::uint32_t events) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;                 // cancelled by a callback of this round
  const std::shared_ptr<Entry> entry = found->second;  // outlives a callback that cancels it
  // Nor is it told of what it no longer asks for, because a callback of this round has changed or paused it.
  events &= entry->events | EPOLLHUP | EPOLLERR;
  if (events == 0 || (!entry->in_epoll && !entry->always_ready)) return;
  Ready ready;
  ready.readable = (events & EPOLLIN) != 0;
  ready.writable = (events & EPOLLOUT) != 0;
  ready.hangup = (events & EPOLLHUP) != 0;
  ready.error = (events & EPOLLERR) != 0;
  entry->callback(ready);
}

void Loop::run_posted() {
  std::vector<Callback> now_due;
  now_due.swap(posted_);
  for (Callback& callback : now_due) {
    if (stopped_) return;
    callback();
  }
}

void Loop::run_timers() {
  const TimePoint when = now();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first.first <= when) {
    const Callback callback = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    callback();
  }
}

int Loop::wait_milliseconds() const {
  if (!posted_.empty()) return 0;
  for (const std::uint64_t id : always_ready_)
    if (entries_.at(id)->events != 0) return 0;
  if (timers_.empty()) return -1;
  const Duration left = timers_.begin()->first.first - now();
  if (left <= Duration::zero()) return 0;
  // Rounded up: rounding down would spin through the last millisecond.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 3'600'000));
}

void Loop::run() {
  epoll_event events[64];
  while (!stopped_) {
    const int wait = wait_milliseconds();
    const int count = ::epoll_wait(epoll_.get(), events, 64, wait);
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    for (int i = 0; i < count && !stopped_; ++i) dispatch(events[i].data.u64, events[i].events);
    for (const std::uint64_t id : std::vector<std::uint64_t>(always_ready_)) {
      if (stopped_) break;
      const auto found = entries_.find(id);
      if (found != entries_.end() && found->second->events != 0) dispatch(id, found->second->events);
    }
    if (!stopped_) run_posted();
    if (!stopped_) run_timers();
  }
  stopped_ = false;
}

}  // namespace pier
