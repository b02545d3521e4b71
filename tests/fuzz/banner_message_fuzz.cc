// What the process that asks for banners could say if it were no longer ours: however the bytes are cut it
// comes to the same, and every text is printable.
#include <algorithm>
#include <cstdlib>

#include "base/utf8.h"
#include "scan/banner_message.h"

namespace {

std::string read_in_pieces(std::string_view bytes, std::size_t piece) {
  pier::BannerMessageReader reader;
  std::string came_to;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.add(bytes.substr(at, piece));
    for (;;) {
      const auto message = reader.next();
      if (!message) return came_to + "|" + message.error().message();
      if (!*message) break;
      const std::string shown = (*message)->banner.to_string();
      if (pier::printable(shown) != shown) std::abort();
      came_to += std::to_string((*message)->number) + shown;
    }
  }
  return came_to;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_in_pieces(bytes, std::max<std::size_t>(size, 1));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}})
    if (read_in_pieces(bytes, piece) != whole) std::abort();
  return 0;
}
