#include "scan/connect_sweep.h"

#include <algorithm>
#include <cerrno>
#include <deque>

#include "net/socket.h"
#include "scan/probe_connect.h"

namespace pier {
namespace {

// Below, waking a thread costs more than it does.
constexpr std::size_t kLeastToShare = 96;
// How many probes a socket may wait before it is asked for its result: some milliseconds' worth of asking.
constexpr std::size_t kMostBehind = 128;

}  // namespace

// What one thread works with.
struct ConnectSweep::Lane {
  struct Asked {
    const ProbeRequest* request;
    SocketAddress target;
    Fd fd;
    TimePoint sent;
  };

  const ProbeSource& source;
  std::vector<Fd> idle[2];  // by family
  std::size_t behind = 1;   // doubled where answers come later than that
  std::deque<Asked> waiting;
  std::vector<Swept> results;

  explicit Lane(const ProbeSource& from) : source(from) {}

  void sweep(std::span<const ProbeRequest> requests) {
    for (const ProbeRequest& request : requests) {
      ask(request);
      while (waiting.size() > behind) {
        if (look(waiting.front())) {
          waiting.pop_front();
        } else if (behind < kMostBehind) {
          behind = std::min(behind * 2, kMostBehind);
        } else {
          give_back(std::move(waiting.front()));
          waiting.pop_front();
        }
      }
    }
    for (; !waiting.empty(); waiting.pop_front())
      if (!look(waiting.front())) give_back(std::move(waiting.front()));
  }

 private:
  std::vector<Fd>& idle_of(const ProbeRequest& request) {
    return idle[request.address.family() == Family::ipv4 ? 0 : 1];
  }

  void ask(const ProbeRequest& request) {
    Asked asked{&request, SocketAddress(request.address, request.port), Fd(), {}};
    std::vector<Fd>& ready = idle_of(request);
    if (ready.empty()) {
      auto fd = open_probe_socket(PortProtocol::tcp, request.address.family(), source);
      if (!fd) {
        const int code = fd.error().code != 0 ? fd.error().code : EINVAL;
        results.push_back({&request, {.how = ConnectEnd::How::at_once, .code = code}, now(), {}, Fd()});
        return;
      }
      asked.fd = std::move(*fd);
    } else {
      asked.fd = std::move(ready.back());
      ready.pop_back();
    }
    asked.sent = now();
    if (const auto end = begin_connect(asked.fd, asked.target))
      results.push_back({&request, *end, asked.sent, now() - asked.sent, Fd()});
    else
      waiting.push_back(std::move(asked));
  }

  bool look(Asked& asked) {
    const auto end = connect_again(asked.fd, asked.target);
    if (!end) return false;
    results.push_back({asked.request, *end, asked.sent, now() - asked.sent, Fd()});
    idle_of(*asked.request).push_back(std::move(asked.fd));
    return true;
  }

  void give_back(Asked&& asked) {
    results.push_back({asked.request, {}, asked.sent, {}, std::move(asked.fd)});
  }
};

ConnectSweep::ConnectSweep(ProbeSource source, unsigned threads)
    : source_(std::move(source)), threads_(std::max(threads, 1U)) {
  lanes_.push_back(std::make_unique<Lane>(source_));
}

ConnectSweep::~ConnectSweep() = default;

void ConnectSweep::run(std::span<const ProbeRequest> requests, std::vector<Swept>& results) {
  if (threads_ == 1 || requests.size() < kLeastToShare) {
    lanes_[0]->sweep(requests);
  } else {
    if (!crew_) {
      while (lanes_.size() < threads_) lanes_.push_back(std::make_unique<Lane>(source_));
      crew_ = std::make_unique<Crew>(threads_);
    }
    const std::size_t share = (requests.size() + threads_ - 1) / threads_;
    crew_->run([&](unsigned number) {
      const std::size_t begin = std::min(number * share, requests.size());
      lanes_[number]->sweep(requests.subspan(begin, std::min(share, requests.size() - begin)));
    });
  }
  for (const auto& lane : lanes_) {
    std::ranges::move(lane->results, std::back_inserter(results));
    lane->results.clear();
  }
}

void ConnectSweep::release() {
  for (const auto& lane : lanes_)
    for (std::vector<Fd>& ready : lane->idle) ready.clear();
}

}  // namespace pier
