// TelnetFilter: the same data and answers, however the bytes are cut; and what put() has written comes back.
#include <cstdlib>

#include "stream/telnet.h"
#include "tests/fuzz/negotiation.h"

namespace {

void require(bool good) {
  if (!good) std::abort();
}

std::string taken(std::string bytes, std::size_t piece, std::string& replies) {
  pier::TelnetFilter filter;
  std::string data;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string part = bytes.substr(at, piece);
    const std::size_t kept = filter.take(std::as_writable_bytes(std::span(part)), replies);
    require(kept <= part.size());
    data += part.substr(0, kept);
  }
  return data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(pier::text_of(data, size));
  std::string whole_replies;
  const std::string whole = taken(bytes, bytes.size() + 1, whole_replies);
  for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
    std::string replies;
    require(taken(bytes, piece, replies) == whole);
    require(replies == whole_replies);
  }
  std::string encoded;
  pier::TelnetFilter::put(encoded, std::as_bytes(std::span(bytes)));
  std::string expected;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (i == 0 || bytes[i] != '\0' || bytes[i - 1] != '\r') expected += bytes[i];
  std::string none;
  require(taken(encoded, 5, none) == expected);
  require(none.empty());
  return 0;
}
