#include "stream/prefix_stream.h"

#include <algorithm>
#include <cstring>

namespace pier {

Io PrefixStream::read(std::span<std::byte> into) {
  if (taken_ == prefix_.size()) return rest_->read(into);
  const std::size_t count = std::min(into.size(), prefix_.size() - taken_);
  std::memcpy(into.data(), prefix_.data() + taken_, count);
  taken_ += count;
  if (taken_ == prefix_.size()) {
    prefix_ = {};
    taken_ = 0;
  }
  return Io::bytes(count);
}

void PrefixStream::discard_input() {
  prefix_ = {};
  taken_ = 0;
  rest_->discard_input();
}

}  // namespace pier
