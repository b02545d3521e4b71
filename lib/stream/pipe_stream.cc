#include "stream/pipe_stream.h"

namespace pier {

Io PipeStream::read(std::span<std::byte> into) {
  return Io::of(retry_eintr([&] { return ::read(in_.get(), into.data(), into.size()); }), true);
}

Io PipeStream::write(std::span<const std::byte> from) {
  return Io::of(retry_eintr([&] { return ::write(out_.get(), from.data(), from.size()); }), false);
}

}  // namespace pier
