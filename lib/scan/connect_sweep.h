// Probes of hosts that answer at once: no waiting, no epoll, and the same few sockets for all of them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/fd.h"
#include "scan/crew.h"
#include "scan/prober.h"

namespace pier {

// A socket that was refused may connect to the next port, and one that got through may after connect(2) with
// AF_UNSPEC, which resets the connection. On the loopback the answer is there when connect(2) returns; on a
// local network, by the time that some more have been asked. So each socket is asked for its result by a
// second connect(2), some probes later, and what has no answer by the end is handed back.
class ConnectSweep {
 public:
  // At most `threads` (at least 1) share the work; they are started when there is enough of it.
  ConnectSweep(ProbeSource source, unsigned threads);
  ~ConnectSweep();
  ConnectSweep(const ConnectSweep&) = delete;
  ConnectSweep& operator=(const ConnectSweep&) = delete;

  struct Swept {
    const ProbeRequest* request = nullptr;
    ConnectEnd end;
    TimePoint sent;
    Duration took{};
    Fd fd;  // valid where there was no answer yet: the attempt goes on, and `end` says nothing
  };

  // Asks all and appends one result each. The requests must stay until the results are gone.
  void run(std::span<const ProbeRequest> requests, std::vector<Swept>& results);

  // Closes the sockets kept for the next time.
  void release();

 private:
  struct Lane;

  ProbeSource source_;
  unsigned threads_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Crew> crew_;
};

}  // namespace pier
