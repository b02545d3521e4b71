#include "stream/filters.h"

namespace pier {

void CrlfFilter::apply(std::span<const std::byte> in, std::vector<std::byte>& out) {
  constexpr std::byte kCr{'\r'};
  constexpr std::byte kLf{'\n'};
  out.reserve(out.size() + in.size());
  for (const std::byte byte : in) {
    if (byte == kLf && !after_cr_) out.push_back(kCr);
    out.push_back(byte);
    after_cr_ = byte == kCr;
  }
}

}  // namespace pier
