// The MPI link, a module of its own: the only place that knows mpi.h.
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "orchestrator/link/link.h"

namespace occam {
namespace {

constexpr int kLines = 1, kFinish = 2;  // tags

// Of a control group each rank may call its one GPU 0; Slurm then has its number in the node.
std::string given_gpus() {
  std::string text;
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS"})
    if (const char* value = std::getenv(name)) text += std::string(name) + "=" + value + "\n";
  return text;
}

std::string given_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return {reinterpret_cast<const char*>(&set), sizeof set};
}

// Whether the ranks do not all say the same.
bool differ(MPI_Comm ranks, const std::string& said) {
  const std::uint64_t mine = std::hash<std::string>()(said);
  std::uint64_t least = 0, most = 0;
  MPI_Allreduce(&mine, &least, 1, MPI_UINT64_T, MPI_MIN, ranks);
  MPI_Allreduce(&mine, &most, 1, MPI_UINT64_T, MPI_MAX, ranks);
  return least != most;
}

class MpiLink : public Link {
 public:
  using Clock = std::chrono::steady_clock;
  MpiLink() {
    MPI_Init(nullptr, nullptr);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm machine;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine);
    MPI_Comm_rank(machine, &local_rank_);
    MPI_Comm_size(machine, &local_size_);
    own_gpus_ = differ(machine, given_gpus());
    own_cores_ = differ(machine, given_cores());
    MPI_Comm_free(&machine);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  bool own_gpus() const override { return own_gpus_; }
  bool own_cores() const override { return own_cores_; }

  void to_node(int rank, std::string line) override {
    if (rank == rank_)
      down_.push_back(std::move(line));
    else
      append(rank, line);
  }
  std::vector<std::pair<int, std::string>> from_nodes() override {
    receive();
    return std::exchange(up_, {});
  }
  void to_coordinator(std::string line) override {
    if (rank_ == 0)
      up_.emplace_back(0, std::move(line));
    else
      append(0, line);
  }
  std::vector<std::string> from_coordinator() override {
    receive();
    return std::exchange(down_, {});
  }

  void flush() override {
    for (auto& [to, text] : outbox_) {
      if (text.empty()) continue;
      active_ = Clock::now();
      Sending& sending = sending_.emplace_back();
      sending.text = std::exchange(text, {});
      MPI_Isend(sending.text.data(), static_cast<int>(sending.text.size()), MPI_CHAR, to, kLines,
                MPI_COMM_WORLD, &sending.request);
    }
    std::erase_if(sending_, [](Sending& sending) {
      int done = 0;
      MPI_Test(&sending.request, &done, MPI_STATUS_IGNORE);
      return done != 0;
    });
  }

  std::chrono::microseconds patience() const override {
    if (!up_.empty() || !down_.empty()) return std::chrono::microseconds(0);
    return std::clamp(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - active_) / 32,
        kShortest, kLongest);
  }

  // Where rank 0 leaves without it, the others must not be within MPI_Finalize: mpirun of Open MPI
  // 4.1 with PMIx 4.2 then now and then never ends.
  void finish() override {
    while (!sending_.empty()) flush();
    for (int rank = 1; rank_ == 0 && rank < size_; ++rank)
      MPI_Send(nullptr, 0, MPI_CHAR, rank, kFinish, MPI_COMM_WORLD);
    for (int told = rank_ == 0; !told;) {
      usleep(kLongest.count());
      MPI_Iprobe(0, kFinish, MPI_COMM_WORLD, &told, MPI_STATUS_IGNORE);
    }
    if (rank_ != 0) MPI_Recv(nullptr, 0, MPI_CHAR, 0, kFinish, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Finalize();
  }

 private:
  struct Sending {
    std::string text;
    MPI_Request request;
  };

  void append(int to, const std::string& line) { outbox_[to] += line + "\n"; }

  // Takes all that is there. A blocking receive would burn a core, so each wake asks a few times
  // (one probe alone delays a message by many wakes), and waits between wakes for a 32nd of
  // the time that it has been quiet: what is said is mostly answered soon.
  void receive() {
    constexpr int kProbes = 4;
    for (int probe = 0; probe < kProbes; ++probe) {
      int waiting = 0;
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, kLines, MPI_COMM_WORLD, &waiting, &status);
      if (!waiting) continue;
      int bytes = 0;
      MPI_Get_count(&status, MPI_CHAR, &bytes);
      std::string text(static_cast<std::size_t>(bytes), '\0');
      MPI_Recv(text.data(), bytes, MPI_CHAR, status.MPI_SOURCE, kLines, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE);
      take(status.MPI_SOURCE, text);
      active_ = Clock::now();
      probe = -1;
    }
  }

  void take(int from, const std::string& text) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      if (rank_ == 0)
        up_.emplace_back(from, text.substr(begin, end - begin));
      else
        down_.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  static constexpr std::chrono::microseconds kShortest{200}, kLongest{8000};
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  bool own_gpus_ = false, own_cores_ = false;
  std::vector<std::pair<int, std::string>> up_;
  std::vector<std::string> down_;
  std::map<int, std::string> outbox_;
  std::list<Sending> sending_;               // a send in flight must not move
  Clock::time_point active_ = Clock::now();  // the last message, either way
};

}  // namespace
}  // namespace occam

extern "C" occam::Link* occam_make_mpi_link() { return new occam::MpiLink; }
