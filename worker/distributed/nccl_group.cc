#ifdef OCCAM_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <torch/types.h>
#if NCCL_VERSION_CODE >= 22800
#include <nccl_device.h>
#endif

#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "worker/cuda/demand.h"
#include "worker/cuda/window.h"
#include "worker/distributed/group.h"

namespace occam {
namespace {

using cuda::demand, cuda::is_done;

ncclDataType_t type_of(const torch::Tensor& values) {
  switch (values.scalar_type()) {
    case torch::kFloat32:
      return ncclFloat32;
    case torch::kFloat64:
      return ncclFloat64;
    case torch::kBFloat16:
      return ncclBfloat16;
    case torch::kInt32:
      return ncclInt32;
    case torch::kInt64:
      return ncclInt64;
    case torch::kUInt8:
      return ncclUint8;
    default:
      throw Error(std::string("NCCL sums no tensors of ") + c10::toString(values.scalar_type()));
  }
}

std::string hex_of(const ncclUniqueId& id) {
  std::string text;
  for (const char byte : id.internal) {
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

ncclUniqueId id_of(const std::string& text) {
  ncclUniqueId id{};
  for (std::size_t i = 0; i < sizeof id.internal; ++i)
    id.internal[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  return id;
}

// The communicator does not block its caller: what takes long is polled for, so a broken group is
// always heard.
class NcclGroup final : public Group {
 public:
  NcclGroup(const Gang& gang, std::chrono::duration<double> timeout) : Group(gang, timeout) {}

  ~NcclGroup() override {
    abort("rank " + std::to_string(rank_) + " has gone");
    // Nothing uses the shared memory any more; now the abortion may take it away.
    if (anchor_) {
      const c10::cuda::CUDAGuard guard(device_);
      cudaDeviceSynchronize();
    }
    weigh_anchor();
    if (abortion_.joinable()) abortion_.join();
    for (const Answer& answer : answers_) {
      if (answer.passed) cudaEventDestroy(answer.passed);
      if (answer.host) cudaFreeHost(answer.host);
    }
    if (flags_) cudaFree(flags_);
    // Who still writes there has it by a mapping of its own.
    for (void* memory : shared_) ncclMemFree(memory);
    if (stop_) cudaFreeHost(stop_);
  }

  void join(const std::function<void(const std::string&)>& on_ticket) override {
    // Multicast over NVLink can put the GPUs of a shared host out of service. A user's own setting
    // stands.
    setenv("NCCL_NVLS_ENABLE", "0", 0);
    std::string ticket = ticket_;
    if (rank_ == 0) {
      ncclUniqueId id;
      settle(ncclGetUniqueId(&id), "ncclGetUniqueId");
      ticket = hex_of(id);
      on_ticket(ticket);
    }
    if (ticket.size() != 2 * sizeof(ncclUniqueId::internal) ||
        ticket.find_first_not_of("0123456789abcdef") != std::string::npos)
      throw Error("'" + ticket.substr(0, 40) + "' is no ticket of a gang on GPUs");
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    call(
        [&] {
          return ncclCommInitRankConfig(&comm_, static_cast<int>(size_), id_of(ticket),
                                        static_cast<int>(rank_), &config);
        },
        "ncclCommInitRankConfig");
    demand(cudaMalloc(&flags_, sizeof(std::int32_t)));
    demand(cudaMallocHost(&stop_, sizeof(std::int32_t)));
    *stop_ = 0;
    for (Answer& answer : answers_) {
      demand(cudaMallocHost(&answer.host, sizeof(std::int32_t)));
      demand(cudaEventCreateWithFlags(&answer.passed, cudaEventDisableTiming));
    }
    joined_ = true;
    barrier();
  }

  void all_reduce(torch::TensorList values) override {
    call(
        [&] {
          ncclResult_t result = ncclGroupStart();
          for (const torch::Tensor& one : values)
            if (result == ncclSuccess)
              result = ncclAllReduce(one.const_data_ptr(), one.data_ptr(),
                                     static_cast<std::size_t>(one.numel()), type_of(one), ncclSum,
                                     comm_, stream());
          const ncclResult_t ended = ncclGroupEnd();
          return result == ncclSuccess ? ended : result;
        },
        "ncclAllReduce");
  }

  torch::Tensor all_gather(const torch::Tensor& rows) override {
    const torch::Tensor mine = rows.detach().contiguous();
    std::vector<std::int64_t> sizes = mine.sizes().vec();
    sizes[0] *= size_;
    torch::Tensor everyone = torch::empty(sizes, mine.options());
    call(
        [&] {
          return ncclAllGather(mine.const_data_ptr(), everyone.data_ptr(),
                               static_cast<std::size_t>(mine.numel()), type_of(mine), comm_,
                               stream());
        },
        "ncclAllGather");
    return everyone;
  }

  void broadcast(const torch::Tensor& values) override {
    call(
        [&] {
          return ncclBroadcast(values.const_data_ptr(), values.data_ptr(),
                               static_cast<std::size_t>(values.numel()), type_of(values), 0, comm_,
                               stream());
        },
        "ncclBroadcast");
  }

#if NCCL_VERSION_CODE >= 22800
  std::optional<SharedMemory> share_memory(std::int64_t bytes) override {
    void* memory = nullptr;
    c10::cuda::CUDACachingAllocator::emptyCache();  // does not make room for others by itself
    settle(ncclMemAlloc(&memory, static_cast<std::size_t>(bytes)), "ncclMemAlloc");
    shared_.push_back(memory);
    demand(cudaMemsetAsync(memory, 0, static_cast<std::size_t>(bytes), stream()));
    ncclWindow_t& window = windows_.emplace_back(nullptr);
    call(
        [&] {
          return ncclCommWindowRegister(comm_, memory, static_cast<std::size_t>(bytes), &window,
                                        NCCL_WIN_COLL_SYMMETRIC);
        },
        "ncclCommWindowRegister");
    // It says that it has done so before it has.
    settle(ncclInProgress, "ncclCommWindowRegister");
    // Where GPUs do not reach each other's memory, on all members alike, the window is none of
    // theirs: a handle of the host's instead, or one of fewer members.
    int reached = 0;
    call([&] { return reached = ncclTeamLsa(comm_).nRanks, ncclSuccess; }, "ncclTeamLsa");
    if (!is_of_device(window) || reached != static_cast<int>(size_)) {
      if (window)
        call([&] { return ncclCommWindowDeregister(comm_, window); }, "ncclCommWindowDeregister");
      windows_.pop_back();
      shared_.pop_back();
      settle(ncclMemFree(memory), "ncclMemFree");
      return std::nullopt;
    }
    drop_anchor();
    SharedMemory shared{std::vector<void*>(static_cast<std::size_t>(size_)), stop_};
    const std::size_t size = shared.of_rank.size() * sizeof(void*);
    const torch::Tensor addresses =
        torch::empty({size_}, torch::dtype(torch::kInt64).device(torch::kCUDA));
    cuda::window_addresses(window, static_cast<int>(size_),
                           static_cast<void**>(addresses.data_ptr()), stream());
    demand(cudaMemcpyAsync(shared.of_rank.data(), addresses.data_ptr(), size,
                           cudaMemcpyDeviceToHost, stream()));
    barrier();  // all are zeroed
    return shared;
  }
#endif

  void leave() override {
    try {
      barrier();
      weigh_anchor();
#if NCCL_VERSION_CODE >= 22800
      for (const ncclWindow_t window : windows_)
        if (window)
          call([&] { return ncclCommWindowDeregister(comm_, window); }, "ncclCommWindowDeregister");
#endif
      call([&] { return ncclCommFinalize(comm_); }, "ncclCommFinalize");
      const std::lock_guard lock(mutex_);
      if (is_broken()) return;
      joined_ = false;
      ncclCommDestroy(comm_);
      comm_ = nullptr;
    } catch (const std::exception& problem) {
      abort(problem.what());
    }
  }

  void barrier() override {
    demand(cudaMemsetAsync(flags_, 0, sizeof(std::int32_t), stream()));
    sum_flags();
    const cudaStream_t on = stream();
    wait([&] { return is_done(cudaStreamQuery(on)); });
  }

  bool any(bool mine) override {
    Answer& now = answers_[asked_ % answers_.size()];
    Answer& before = answers_[(asked_ + 1) % answers_.size()];
    *now.host = mine ? 1 : 0;
    demand(
        cudaMemcpyAsync(flags_, now.host, sizeof(std::int32_t), cudaMemcpyHostToDevice, stream()));
    sum_flags();
    demand(
        cudaMemcpyAsync(now.host, flags_, sizeof(std::int32_t), cudaMemcpyDeviceToHost, stream()));
    demand(cudaEventRecord(now.passed, stream()));
    if (asked_++ == 0) return false;
    wait([&] { return is_done(cudaEventQuery(before.passed)); });
    return *before.host != 0;
  }

 private:
  // What any() was told, and then the answer; one is filled while the other is read.
  struct Answer {
    std::int32_t* host = nullptr;
    cudaEvent_t passed = nullptr;
  };

  static c10::cuda::CUDAStream stream() { return c10::cuda::getCurrentCUDAStream(); }

  static bool is_of_device(const void* pointer) {
    cudaPointerAttributes attributes{};
    if (!pointer || cudaPointerGetAttributes(&attributes, pointer) != cudaSuccess) {
      cudaGetLastError();
      return false;
    }
    return attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
  }

  // A graph of an operation that is never launched. While it is there, an abortion waits, as it
  // does for the graphs of steps, before it takes the shared memory from kernels that may be using
  // it.
  void drop_anchor() {
    if (anchor_) return;
    device_ = stream().device_index();
    demand(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
    try {
      sum_flags();
    } catch (...) {
      cudaStreamEndCapture(stream(), &anchor_);
      throw;
    }
    demand(cudaStreamEndCapture(stream(), &anchor_));
  }
  void weigh_anchor() {
    if (anchor_) cudaGraphDestroy(anchor_);
    anchor_ = nullptr;
  }

  void sum_flags() {
    call([&] { return ncclAllReduce(flags_, flags_, 1, ncclInt32, ncclSum, comm_, stream()); },
         "ncclAllReduce");
  }

  // One call of NCCL's, and what it goes on with behind it. None is made once the group is broken:
  // the communicators are then being destroyed.
  template <class Call>
  void call(const Call& work, const char* name) {
    ncclResult_t result;
    {
      const std::lock_guard lock(mutex_);
      result = is_broken() ? ncclInProgress : work();
    }
    check();
    settle(result, name);
  }

  void settle(ncclResult_t result, const char* name) {
    if (result == ncclInProgress)
      wait([&] {
        const std::lock_guard lock(mutex_);
        if (is_broken()) return false;  // wait() throws
        if (ncclCommGetAsyncError(comm_, &result) != ncclSuccess) result = ncclInternalError;
        return result != ncclInProgress;
      });
    if (result != ncclSuccess) fail(words(name, result));
  }

  std::string words(const char* name, ncclResult_t result) const {
    std::string text =
        "rank " + std::to_string(rank_) + ": " + name + ": " + ncclGetErrorString(result);
    const char* last = ncclGetLastError(comm_);
    if (last && *last) text += std::string(" (") + last + ")";
    return text;
  }

  void poll() override {
    if (!joined_) return;
    ncclResult_t state = ncclSuccess;
    {
      const std::lock_guard lock(mutex_);
      if (is_broken()) return;
      if (ncclCommGetAsyncError(comm_, &state) != ncclSuccess) state = ncclInternalError;
    }
    if (state != ncclSuccess && state != ncclInProgress) abort(words("a collective", state));
  }

  // Kernels that wait for others end at once, but an abortion returns only when all graphs that
  // hold the communicator's operations are gone: so it has a thread, and the destructor waits.
  void on_abort() override {
    const std::lock_guard lock(mutex_);
    if (stop_) *static_cast<volatile std::int32_t*>(stop_) = 1;
    if (comm_) abortion_ = std::thread([one = comm_] { ncclCommAbort(one); });
  }

  ncclComm_t comm_ = nullptr;
  bool joined_ = false;
  std::mutex mutex_;  // of every call of NCCL's but the abortion, which comes after all others
  std::thread abortion_;
  std::int32_t* flags_ = nullptr;  // on the device
  std::int32_t* stop_ = nullptr;   // of the host: our kernels that wait for others look at it
  std::vector<void*> shared_;
  cudaGraph_t anchor_ = nullptr;  // while there are some
  c10::DeviceIndex device_ = 0;   // theirs
#if NCCL_VERSION_CODE >= 22800
  std::deque<ncclWindow_t> windows_;  // of these; NCCL fills them in when it comes to that
#endif
  std::array<Answer, 2> answers_;
  std::size_t asked_ = 0;
};

}  // namespace

std::unique_ptr<Group> make_nccl_group(const Gang& gang, std::chrono::duration<double> timeout) {
  return std::make_unique<NcclGroup>(gang, timeout);
}

}  // namespace occam
#endif
