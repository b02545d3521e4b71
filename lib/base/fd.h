// The owner of a file descriptor. close() is called here and nowhere else.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace pier {

// Move-only; closes its descriptor when destroyed. Empty when default-constructed or moved from.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}  // takes ownership; a negative value is "empty"
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }  // -1 when empty
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }  // the caller owns it from now on
  // Closes now and returns the errno of that, or 0: some file systems notice only then that a write has
  // failed.
  [[nodiscard]] int close_told() {
    return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR ? 0 : errno;
  }
  // Closes now. EINTR is not retried: on Linux the descriptor is gone either way (close(2)).
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Repeats a system call while a signal interrupts it. The one place where EINTR is handled.
template <class Call>
auto retry_eintr(Call call) -> decltype(call()) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

}  // namespace pier
