// What the tests of this folder share: waiting on a condition, a folder of one's own, a record of steps.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "net/socket.h"

namespace pier {

// Waits until poll(2) says one of `events`, without a limit of its own: the test runner has one.
inline void wait_for(int fd, short events) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  ASSERT_EQ(retry_eintr([&] { return ::poll(&one, 1, -1); }), 1);
}

inline bool has_ipv6() {
  const auto fd = open_socket(Transport::udp, AF_INET6);
  return fd && bind_socket(*fd, SocketAddress(IpAddress::loopback(Family::ipv6), 0));
}

// A folder that goes with the object.
class TempDir {
 public:
  TempDir() {
    std::string name = std::filesystem::temp_directory_path() / "pier-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    dir_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return dir_ / name; }

 private:
  std::filesystem::path dir_;
};

struct Recorder : StepSink {
  std::vector<Step> steps;
  void step(const Step& step) override { steps.push_back(step); }
  // The names of the calls, in order, with a blank between.
  [[nodiscard]] std::string calls() const {
    std::string all;
    for (const Step& one : steps) all += (all.empty() ? "" : " ") + std::string(one.call);
    return all;
  }
};

}  // namespace pier
