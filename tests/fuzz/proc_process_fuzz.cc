// What a process can write into /proc about itself: its command line and, by the names of its control groups,
// its unit and container. The first byte says where the text is cut in two: command name and command line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "host/cgroup.h"
#include "host/process.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const CgroupNames names = parse_cgroup(text);
  if (names.unit.find('/') != std::string::npos || names.container.find('/') != std::string::npos)
    std::abort();
  if (join_cmdline(text).find('\0') != std::string::npos) std::abort();
  (void)docker_proxy_target(text);
  const std::size_t cut = size == 0 ? 0 : std::size_t{data[0]} % size;
  const std::string name = program_name(text.substr(0, cut), text.substr(cut));
  if (cut > 0 && cut < 15 && name.size() > cut) std::abort();  // only a name that was cut is completed
  return 0;
}
