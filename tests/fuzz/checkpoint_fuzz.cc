// A checkpoint: whatever the text, an error on one line, or values that come out as they went in.
#include <cstdlib>

#include "scan/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto read = pier::Checkpoint::parse(text, "f");
  if (!read) {
    if (read.error().kind != pier::ErrorKind::usage) std::abort();
    if (read.error().message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const pier::Waiting& waiting : read->progress.unsettled)
    if (waiting.index >= read->progress.next) std::abort();
  if (const auto& syn = read->progress.syn) {
    if (syn->size > pier::SynProgress::kMostPairs || syn->cursor > syn->size) std::abort();
    if (syn->settled.size() * 64 >= syn->size + 64 || syn->up.size() * 64 >= syn->hosts + 64) std::abort();
    for (const auto& held : syn->held)
      if (held.index - read->progress.next >= syn->size && held.index >= read->progress.next) std::abort();
  }
  const std::string written = read->to_text();
  const auto again = pier::Checkpoint::parse(written, "f");
  if (!again || again->to_text() != written) std::abort();
  return 0;
}
