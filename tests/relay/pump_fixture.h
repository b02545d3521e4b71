// A pump between two real ends, moved on as a relay moves it, and those who write and read beside it.
#pragma once

#include <poll.h>
#include <sys/mman.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "relay/pump.h"
#include "stream/socket_stream.h"
#include "stream/stdio.h"
#include "tests/relay/fixture.h"

namespace pier {

inline std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A file without a name, as a descriptor of its own.
inline Fd make_file(const std::string& content, int flags = 0) {
  Fd made(::memfd_create("pump", MFD_CLOEXEC));
  EXPECT_EQ(::write(made.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  Fd opened(::open(("/proc/self/fd/" + std::to_string(made.get())).c_str(), O_RDWR | O_CLOEXEC | flags));
  EXPECT_TRUE(opened.valid());
  return opened;
}

inline std::string content_of(const Fd& file) {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = ::pread(file.get(), buffer, sizeof buffer, static_cast<off_t>(all.size()))) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  return all;
}

// What a pump came to: the end of its source, or an error of either side.
struct PumpOutcome {
  int source_error = 0;
  int destination_error = 0;
  int turns = 0;  // times it had to wait
};

// A pump between two streams, moved on as a relay does: it waits for what the pump says it waits for.
struct PumpHarness {
  PumpHarness(Stream& source, Stream& destination, PumpOptions options = {},
              std::size_t most = Pump::kNoLimit)
      : from(source),
        to(destination),
        limit(most),
        pump(source, destination, with_note(std::move(options))) {}

  PumpOptions with_note(PumpOptions options) {
    options.fell_back = [this](Way way, int code) {
      fell_back_from = way;
      fell_back_code = code;
    };
    return options;
  }

  PumpOutcome run() {
    std::signal(SIGPIPE, SIG_IGN);  // as in the commands
    PumpOutcome outcome;
    bool ended = false;
    while (!ended || pump.wants_output()) {
      if (!ended && pump.wants_input()) {
        const Io io = pump.fill(limit);
        ended = io.kind == Io::Kind::end || io.kind == Io::Kind::error;
        if (io.kind == Io::Kind::error) outcome.source_error = io.code;
        if (step) step();
      }
      const Io io = pump.drain();
      if (io.kind == Io::Kind::error) {
        outcome.destination_error = io.code;
        return outcome;
      }
      if (ended || pump.wants_output() || pump.source_drained()) wait(ended, outcome);
    }
    return outcome;
  }

  void wait(bool ended, PumpOutcome& outcome) {
    ++outcome.turns;
    pollfd ends[2] = {{!ended && pump.wants_input() ? from.read_fd() : -1, POLLIN, 0},
                      {pump.wants_output() ? to.write_fd() : -1, POLLOUT, 0}};
    if (ends[0].fd < 0 && ends[1].fd < 0) return;
    ASSERT_GT(::poll(ends, 2, 60'000), 0) << "nothing moves any more";
    if (ends[1].revents != 0) pump.output_ready();
  }

  Stream& from;
  Stream& to;
  std::size_t limit;
  std::function<void()> step;
  std::optional<Way> fell_back_from;
  int fell_back_code = 0;
  Pump pump;
};

// Reads a descriptor to its end beside the pump, now and then slowly.
class PumpReader {
 public:
  explicit PumpReader(Fd fd, bool slow = false)
      : thread_([this, fd = std::move(fd), slow] {
          ::fcntl(fd.get(), F_SETFL, 0);
          std::string buffer(slow ? 3000 : 65536, '\0');
          for (int turn = 0;; ++turn) {
            if (slow && turn % 64 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
            if (n <= 0) return;
            all_.append(buffer.data(), static_cast<std::size_t>(n));
          }
        }) {}
  std::string take() {
    thread_.join();
    return std::move(all_);
  }

 private:
  std::string all_;
  std::jthread thread_;
};

// Writes everything and closes, beside the pump.
inline std::jthread feed(Fd fd, std::string bytes) {
  return std::jthread([fd = std::move(fd), bytes = std::move(bytes)] {
    ::fcntl(fd.get(), F_SETFL, 0);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
  });
}

}  // namespace pier
