// A service's greeting: whatever the bytes, one printable line of bounded length.
#include <algorithm>
#include <cstdlib>

#include "scan/banner.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const pier::Banner banner = pier::read_banner(text);
  for (const std::string& shown : {banner.text, banner.product, banner.to_string()}) {
    if (std::ranges::any_of(shown, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }))
      std::abort();
    if (shown.size() > 8 * pier::Banner::kMostText + 100) std::abort();
  }
  (void)pier::asks_for_tls(text);
  return 0;
}
