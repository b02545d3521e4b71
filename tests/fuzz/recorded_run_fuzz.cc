// The records of an earlier scan: whatever the text, an error that names a line, or a run whose shard is one.
#include <cstdlib>

#include "scan/recorded_run.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto run = pier::parse_recorded_run(text, "f");
  if (!run) {
    if (run.error().kind != pier::ErrorKind::usage) std::abort();
    if (run.error().message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (run->shard.index < 1 || run->shard.index > run->shard.count) std::abort();
  for (const pier::RecordedPort& port : run->found)
    if (text.find(port.line) == std::string_view::npos) std::abort();
  return 0;
}
