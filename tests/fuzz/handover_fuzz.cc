// A line of a handover: what is read is written and read again as the same.
#include <cstdlib>
#include <string_view>

#include "stream/handover_text.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto line = pier::parse_handover_line(bytes);
  if (!line) return 0;
  const std::string text = line->to_string();
  if (text.size() > pier::kMostHandoverLine) std::abort();
  const auto again = pier::parse_handover_line(std::string_view(text).substr(0, text.size() - 1));
  if (!again || *again != *line) std::abort();
  return 0;
}
