// Owners of OpenSSL's objects. Included by lib/stream/tls* alone.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace pier {

struct TlsFree {
  void operator()(SSL_CTX* p) const { ::SSL_CTX_free(p); }
  void operator()(SSL* p) const { ::SSL_free(p); }
  void operator()(X509* p) const { ::X509_free(p); }
  void operator()(X509_EXTENSION* p) const { ::X509_EXTENSION_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { ::EVP_PKEY_CTX_free(p); }
  void operator()(EVP_PKEY* p) const { ::EVP_PKEY_free(p); }
  void operator()(BIO* p) const { ::BIO_free(p); }
};
template <class T>
using TlsPtr = std::unique_ptr<T, TlsFree>;

}  // namespace pier
