#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "experiments/number.h"
#include "worker/distributed/group.h"

namespace occam {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Store = c10::intrusive_ptr<c10d::TCPStore>;
using std::chrono::milliseconds;

// The store refuses values of more than 8 MiB.
constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr milliseconds kBeat(100);
// What a member that leaves in order adds to its beats.
constexpr std::int64_t kGone = std::int64_t{1} << 40;
constexpr const char* kBroken = "broken";

// An address of this machine at which other nodes reach it: what its own name resolves to, else the
// first interface that is up, else the loopback.
std::string own_address() {
  std::vector<std::string> addresses;
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) == 0) {
    for (const ifaddrs* one = interfaces; one; one = one->ifa_next) {
      if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP) ||
          (one->ifa_flags & IFF_LOOPBACK))
        continue;
      char text[INET_ADDRSTRLEN] = {};
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text,
                sizeof text);
      addresses.emplace_back(text);
    }
    freeifaddrs(interfaces);
  }
  char name[256] = {};
  addrinfo hints{};
  hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  if (gethostname(name, sizeof name - 1) == 0 && getaddrinfo(name, nullptr, &hints, &found) == 0) {
    std::string resolved;
    for (const addrinfo* one = found; one; one = one->ai_next) {
      char text[INET_ADDRSTRLEN] = {};
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr, text,
                sizeof text);
      if (std::find(addresses.begin(), addresses.end(), text) != addresses.end()) resolved = text;
    }
    freeaddrinfo(found);
    if (!resolved.empty()) return resolved;
  }
  return addresses.empty() ? "127.0.0.1" : addresses.front();
}

using Address = std::pair<std::string, std::uint16_t>;

Store connect(const Address& address, std::chrono::duration<double> timeout) {
  c10d::TCPStoreOptions options;
  options.port = address.second;
  options.waitWorkers = false;
  options.timeout = std::chrono::duration_cast<milliseconds>(timeout);
  return c10::make_intrusive<c10d::TCPStore>(address.first, options);
}

class StoreGroup final : public Group {
 public:
  StoreGroup(const Gang& gang, std::chrono::duration<double> timeout) : Group(gang, timeout) {}

  ~StoreGroup() override {
    if (!heart_.joinable()) return;
    abort("rank " + std::to_string(rank_) + " has gone");
    StoreGroup::leave();
  }

  void join(const std::function<void(const std::string&)>& on_ticket) override {
    try {
      if (rank_ == 0) {
        c10d::TCPStoreOptions options;
        options.port = 0;
        options.isServer = true;
        options.waitWorkers = false;
        store_ = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
        address_ = {"127.0.0.1", store_->getPort()};
        on_ticket(own_address() + ":" + std::to_string(store_->getPort()));
      } else {
        address_ = read_ticket();
        store_ = reach_rank_zero();
      }
      // The heart has a connection of its own, since one serves a call at a time.
      heart_store_ = connect(address_, timeout_);
    } catch (const c10::Error& problem) {
      fail("rank " + std::to_string(rank_) + " found no store" +
           (rank_ == 0 ? std::string() : " at " + ticket_) + ": " +
           problem.what_without_backtrace());
    }
    heart_ = std::thread([this] { beat(); });
    barrier();
  }

  void all_reduce(torch::TensorList values) override {
    for (const torch::Tensor& one : values) sum(one);
  }

  torch::Tensor all_gather(const torch::Tensor& rows) override {
    const torch::Tensor mine = rows.detach().contiguous();
    std::vector<std::int64_t> sizes = mine.sizes().vec();
    sizes[0] *= size_;
    torch::Tensor everyone = torch::empty(sizes, mine.options());
    const auto bytes = static_cast<std::size_t>(mine.nbytes());
    for (std::size_t done = 0; done < bytes; done += kMostBytes) {
      const std::size_t part = std::min(kMostBytes, bytes - done);
      const std::vector<Bytes> all =
          exchange(static_cast<const std::uint8_t*>(mine.const_data_ptr()) + done, part);
      for (std::size_t member = 0; member < all.size(); ++member)
        std::memcpy(static_cast<std::uint8_t*>(everyone.data_ptr()) + member * bytes + done,
                    all[member].data(), part);
    }
    return everyone;
  }

  void broadcast(const torch::Tensor& values) override {
    auto* at = static_cast<std::uint8_t*>(values.data_ptr());
    const auto bytes = static_cast<std::size_t>(values.nbytes());
    for (std::size_t done = 0; done < bytes; done += kMostBytes) {
      const std::size_t part = std::min(kMostBytes, bytes - done);
      // The others' single byte says that they have come so far.
      const std::vector<Bytes> all = exchange(at + done, rank_ == 0 ? part : 1);
      std::memcpy(at + done, all[0].data(), part);
    }
  }

  void leave() override {
    if (!heart_.joinable()) return;
    {
      const std::lock_guard lock(heart_mutex_);
      leaving_ = true;
    }
    heart_wakes_.notify_all();
    heart_.join();
    heart_store_.reset();
    store_.reset();
  }

  void barrier() override { any(false); }

  bool any(bool mine) override {
    const std::uint8_t word = mine ? 1 : 0;
    bool said = false;
    for (const Bytes& one : exchange(&word, 1)) said = said || one.at(0) != 0;
    return said;
  }

 private:
  void sum(const torch::Tensor& values) {
    const auto bytes = static_cast<std::size_t>(values.nbytes());
    const std::size_t width = values.element_size();
    auto* at = static_cast<std::uint8_t*>(values.data_ptr());
    const at::NoGradGuard no_gradient;
    for (std::size_t done = 0; done < bytes || done == 0; done += kMostBytes) {
      const std::size_t part = std::min(kMostBytes, bytes - done);
      std::vector<Bytes> all = exchange(at + done, part);
      const auto tensor_of = [&](void* data) {
        return torch::from_blob(data, {static_cast<std::int64_t>(part / width)},
                                values.options().requires_grad(false));
      };
      torch::Tensor sum = tensor_of(at + done);
      for (std::size_t member = 0; member < all.size(); ++member) {
        const torch::Tensor one = tensor_of(all[member].data());
        member == 0 ? sum.copy_(one) : sum.add_(one);
      }
    }
  }

  void on_abort() override { heart_wakes_.notify_all(); }
  void poll() override {}

  Address read_ticket() const {
    const std::size_t colon = ticket_.rfind(':');
    std::int64_t port = 0;
    if (colon == std::string::npos ||
        !read_number(std::string_view(ticket_).substr(colon + 1), port) || port < 1 || port > 65535)
      throw Error("'" + ticket_ + "' is no ticket of a gang on CPUs, which reads host:port");
    return {ticket_.substr(0, colon), static_cast<std::uint16_t>(port)};
  }

  // Trying to connect cannot be broken off, so it is tried for a short while at a time.
  Store reach_rank_zero() {
    const auto began = std::chrono::steady_clock::now();
    while (true) {
      check();
      try {
        Store store = connect(address_, std::min(timeout_, std::chrono::duration<double>(2)));
        store->setTimeout(std::chrono::duration_cast<milliseconds>(timeout_));
        return store;
      } catch (const c10::Error&) {
        if (std::chrono::steady_clock::now() - began > timeout_) throw;
      }
    }
  }

  std::string key(std::int64_t number, std::int64_t member) const {
    return std::to_string(number) + "/" + std::to_string(member);
  }

  // Every member's bytes in the order of their ranks. Whoever has read all of one exchange knows
  // that all have come to it, and so have done with the one before, whose keys can go.
  std::vector<Bytes> exchange(const void* data, std::size_t count) {
    check();
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    const Bytes mine(bytes, bytes + count);
    std::vector<std::string> others;
    for (std::int64_t member = 0; member < size_; ++member)
      if (member != rank_) others.push_back(key(number_, member));
    std::vector<Bytes> all;
    if (!others.empty()) all = meet(others, mine);
    all.insert(all.begin() + rank_, mine);
    ++number_;
    return all;
  }

  std::vector<Bytes> meet(const std::vector<std::string>& others, const Bytes& mine) {
    try {
      store_->set(key(number_, rank_), mine);
      // Asked again and again: a wait of the store's own cannot be broken off.
      wait([&] { return store_->check(others); });
      std::vector<Bytes> all = store_->multiGet(others);
      if (number_ > 0) store_->deleteKey(key(number_ - 1, rank_));
      return all;
    } catch (const c10::Error& problem) {
      // Where the heart knows more, that is the reason.
      fail(store_is_lost(problem));
    }
  }

  std::string store_is_lost(const c10::Error& problem) const {
    return (rank_ == 0 ? "rank 0's own store fails: "
                       : "rank " + std::to_string(rank_) + " reaches rank 0 no more: ") +
           problem.what_without_backtrace();
  }

  // --- the heart: a thread that says that this member lives and listens for the others -----------

  static std::string beats_of(std::int64_t member) { return "beats/" + std::to_string(member); }

  void beat() {
    try {
      const Store& store = heart_store_;
      std::vector<std::int64_t> heard(static_cast<std::size_t>(size_), 0);
      std::vector<int> silent(static_cast<std::size_t>(size_), 0);
      bool published = false;
      int after_leaving = 0;
      while (true) {
        bool leaving = false;
        {
          std::unique_lock lock(heart_mutex_);
          heart_wakes_.wait_for(lock, kBeat,
                                [&] { return leaving_ || (is_broken() && !published); });
          leaving = leaving_;
        }
        if (is_broken() && !published) {
          store->set(kBroken, words(reason()));
          published = true;
        }
        const bool says_goodbye = leaving && after_leaving == 0;
        store->add(beats_of(rank_), says_goodbye ? kGone : 1);
        if (!is_broken() && store->check({kBroken})) {
          const Bytes why = store->get(kBroken);
          abort(std::string(why.begin(), why.end()));
          published = true;
        }
        bool all_gone = true;
        for (std::int64_t member = 0; member < size_; ++member) {
          if (member == rank_) continue;
          const std::int64_t beats = store->add(beats_of(member), 0);
          if (beats >= kGone) continue;
          all_gone = false;
          auto& last = heard[static_cast<std::size_t>(member)];
          auto& beats_missed = silent[static_cast<std::size_t>(member)];
          beats_missed = beats == last && beats > 0 ? beats_missed + 1 : 0;
          last = beats;
          // Counted in beats of the member that listens, so that a machine which is slow for all
          // of them makes nobody look dead.
          if (beats_missed * kBeat > timeout_ && !is_broken())
            abort("rank " + std::to_string(member) + " was not heard of for " +
                  spelled(timeout_.count()) + " s");
        }
        if (!leaving) continue;
        // The store goes with rank 0, so it leaves last; of a broken group it waits for nobody
        // long.
        ++after_leaving;
        if (rank_ > 0 || all_gone || after_leaving > (is_broken() ? 100 : 1000)) return;
        std::this_thread::sleep_for(milliseconds(10));
      }
    } catch (const c10::Error& problem) {
      abort(store_is_lost(problem));
    }
  }

  static Bytes words(const std::string& text) { return {text.begin(), text.end()}; }

  Store store_, heart_store_;
  Address address_;
  std::int64_t number_ = 0;  // of the next exchange
  std::thread heart_;
  std::mutex heart_mutex_;
  std::condition_variable heart_wakes_;
  bool leaving_ = false;
};

}  // namespace

std::unique_ptr<Group> make_store_group(const Gang& gang, std::chrono::duration<double> timeout) {
  return std::make_unique<StoreGroup>(gang, timeout);
}

}  // namespace occam
