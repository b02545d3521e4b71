#include "event/resolve.h"

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "net/host_name.h"

namespace pier {
namespace {

using Answer = Result<std::vector<IpAddress>>;

std::string_view family_name(Family family) {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

std::string lookup_error_text(int status, std::optional<Family> family) {
  switch (status) {
    case EAI_NONAME:
      return "name not known";
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return family ? "the name has no " + std::string(family_name(*family)) + " address"
                    : "the name has no address";
    default: {
      std::string text = ::gai_strerror(status);
      if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
      return text;
    }
  }
}

Answer look_up(const std::string& host, std::optional<Family> family) {
  addrinfo hints{};
  hints.ai_family = family ? domain_of(*family) : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // one entry for each address, not one for each socket type
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const int code = errno;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, [](addrinfo* all) {
    if (all != nullptr) ::freeaddrinfo(all);
  });
  if (status == EAI_SYSTEM) return system_error("resolve", host, code, ErrorKind::local);
  if (status != 0)
    return fail(status == EAI_MEMORY ? ErrorKind::local : ErrorKind::failed, "resolve", host,
                lookup_error_text(status, family));
  std::vector<IpAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen,
                reinterpret_cast<char*>(&storage));
    const IpAddress address = SocketAddress::from(storage, one->ai_addrlen).ip();
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  if (addresses.empty())
    return fail(ErrorKind::failed, "resolve", host, lookup_error_text(EAI_NODATA, family));
  return addresses;
}

// The answer where no look-up is needed: a literal, or text that cannot be a host.
std::optional<Answer> answer_at_once(const std::string& host, std::optional<Family> family) {
  if (const auto fits = check_host(host); !fits) return std::unexpected(fits.error());
  const auto literal = IpAddress::parse(host);
  if (!literal) return std::nullopt;
  if (family && *family != literal->family())
    return usage_error("host", host,
                       "an " + std::string(family_name(literal->family())) + " address, where one of " +
                           std::string(family_name(*family)) + " is needed");
  return std::vector{*literal};
}

}  // namespace

// Shared between the loop's thread and the one that looks up; the mutex guards `answer`.
struct Resolution::State {
  Fd done;  // an eventfd(2), written once when `answer` is there
  std::mutex mutex;
  std::optional<Answer> answer;
};

namespace {

void look_up_and_tell(Resolution::State& state, const std::string& host, std::optional<Family> family) {
  Answer answer = look_up(host, family);
  {
    const std::lock_guard lock(state.mutex);
    state.answer = std::move(answer);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written =
      retry_eintr([&] { return ::write(state.done.get(), &one, sizeof one); });
}

// A detached thread with every signal blocked: signals are the loop's business. An errno on failure.
int start_thread(std::function<void()> work) {
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = 0;
  try {
    std::thread(std::move(work)).detach();
  } catch (const std::system_error& error) {
    code = error.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return code;
}

}  // namespace

Resolution resolve(Loop& loop, const std::string& host, std::optional<Family> family,
                   std::function<void(Result<std::vector<IpAddress>>)> callback) {
  Resolution resolution;
  const auto state = std::make_shared<Resolution::State>();
  resolution.state_ = state;

  auto answer = answer_at_once(host, family);
  if (!answer) {
    state->done = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!state->done.valid()) answer = system_error("eventfd", "", errno, ErrorKind::local);
  }
  if (!answer) {
    auto watch = loop.watch(state->done.get(), Interest::read, [raw = state.get(), callback](Ready) {
      std::uint64_t count = 0;
      if (::read(raw->done.get(), &count, sizeof count) != static_cast<ssize_t>(sizeof count)) return;
      std::optional<Answer> taken;
      {
        const std::lock_guard lock(raw->mutex);
        taken.swap(raw->answer);
      }
      const auto call = callback;  // outlives a Resolution that the callback destroys
      if (taken) call(std::move(*taken));
    });
    if (!watch) {
      answer = std::unexpected(watch.error());
    } else if (const int code =
                   start_thread([state, host, family] { look_up_and_tell(*state, host, family); });
               code != 0) {
      answer = system_error("start a thread to resolve", host, code, ErrorKind::local);
    } else {
      resolution.watch_ = std::move(*watch);
    }
  }
  if (answer) {
    // Nobody but the Resolution holds the state now: when it has gone, so has the wish for an answer.
    loop.post([waiting = std::weak_ptr(state), result = std::move(*answer), callback = std::move(callback)] {
      if (!waiting.expired()) callback(result);
    });
  }
  return resolution;
}

Result<std::vector<IpAddress>> resolve_now(const std::string& host, std::optional<Family> family) {
  if (auto answer = answer_at_once(host, family)) return *answer;
  return look_up(host, family);
}

}  // namespace pier
