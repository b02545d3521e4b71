// --banner: what the open ports that a scan has found say of themselves.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "cli/app.h"
#include "scan/banner.h"
#include "scan/interrupt.h"
#include "scan/prober.h"
#include "scan/result.h"

namespace pier::scan {

struct BannerJob {
  const App& app;
  std::vector<PortResult> ports;  // open, TCP; each with its host's name
  ProbeSource source;
  Deadline deadline;  // of the scan
};

// Asks all of them, kBannersAtOnce at a time, and tells each as it is known. Those that a signal or the
// deadline came before are told with an empty banner; then it says false.
bool take_banners(BannerJob job, Interrupt& interrupt,
                  const std::function<void(const PortResult&, const Banner&)>& tell);

}  // namespace pier::scan
