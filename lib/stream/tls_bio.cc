// The BIO between OpenSSL and the buffers of a TlsStream.
#include <openssl/bio.h>

#include <new>

#include "stream/tls_stream.h"

namespace pier {
namespace {

TlsStream& connection_of(BIO* bio) {
  return *static_cast<TlsStream*>(::BIO_get_data(bio));
}

int read_bio(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const int count = connection_of(bio).give_ciphertext(into, static_cast<std::size_t>(size));
  if (count == -1) BIO_set_retry_read(bio);
  return count < 0 ? -1 : count;
}

int write_bio(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  connection_of(bio).take_ciphertext(from, static_cast<std::size_t>(size));
  return size;
}

long control_bio(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return connection_of(bio).at_socket_end() ? 1 : 0;
  return 0;
}

struct Method {
  Method() : bio(::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pier")) {
    if (bio == nullptr) throw std::bad_alloc();
    ::BIO_meth_set_read(bio, read_bio);
    ::BIO_meth_set_write(bio, write_bio);
    ::BIO_meth_set_ctrl(bio, control_bio);
  }
  BIO_METHOD* bio;
};

}  // namespace

TlsPtr<BIO> make_tls_bio(TlsStream& connection) {
  static const Method method;  // OpenSSL wants it for as long as there is any BIO of its kind
  TlsPtr<BIO> bio(::BIO_new(method.bio));
  if (!bio) throw std::bad_alloc();
  ::BIO_set_data(bio.get(), &connection);
  ::BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace pier
