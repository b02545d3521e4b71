// The owner of mapped memory. munmap() is called here and nowhere else.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace pier {

// Move-only; unmaps its memory when destroyed. Empty when default-constructed or moved from.
class Mapping {
 public:
  Mapping() = default;
  // To read and write, shared with the owner of `fd` (mmap(2)); -1: fresh memory of our own.
  // ErrorKind::local.
  [[nodiscard]] static Result<Mapping> make(int fd, std::size_t size, off_t offset = 0) {
    const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (memory == MAP_FAILED) return system_error("mmap", "memory", errno, ErrorKind::local);
    return Mapping(static_cast<std::uint8_t*>(memory), size);
  }
  Mapping(Mapping&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }

  [[nodiscard]] std::uint8_t* data() const { return memory_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // What lies so many bytes from the beginning.
  template <class T>
  [[nodiscard]] T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(memory_ + offset);
  }

 private:
  Mapping(std::uint8_t* memory, std::size_t size) : memory_(memory), size_(size) {}
  std::uint8_t* memory_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pier
