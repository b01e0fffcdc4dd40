#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace occam {

// How the coordinator (on rank 0) and the agents (one a rank, rank 0's too) exchange lines. Nothing
// blocks; lines to one rank arrive in order. One thread. Rank 0's own lines never leave the
// process.
class Link {
 public:
  virtual ~Link() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // This rank among those of the same machine, and whether the launcher gave each of them GPUs and
  // cores of its own; else they share what is in sight.
  virtual int local_rank() const = 0;
  virtual int local_size() const = 0;
  virtual bool own_gpus() const = 0;
  virtual bool own_cores() const = 0;

  // Coordinator's side; on rank 0 alone.
  virtual void to_node(int rank, std::string line) = 0;
  virtual std::vector<std::pair<int, std::string>> from_nodes() = 0;
  // Agent's side.
  virtual void to_coordinator(std::string line) = 0;
  virtual std::vector<std::string> from_coordinator() = 0;

  // Hands on what has been given; to be called once a wake.
  virtual void flush() = 0;
  // How long a wait may last before the link wants to be asked again.
  virtual std::chrono::microseconds patience() const = 0;
  // Every rank calls it at the end, when no line is on its way. Returns once rank 0 has called it.
  virtual void finish() = 0;
};

// One process is the whole sweep: two queues.
class LocalLink : public Link {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  bool own_gpus() const override { return false; }
  bool own_cores() const override { return false; }
  void to_node(int, std::string line) override { down_.push_back(std::move(line)); }
  std::vector<std::pair<int, std::string>> from_nodes() override {
    std::vector<std::pair<int, std::string>> lines;
    for (std::string& line : std::exchange(up_, {})) lines.emplace_back(0, std::move(line));
    return lines;
  }
  void to_coordinator(std::string line) override { up_.push_back(std::move(line)); }
  std::vector<std::string> from_coordinator() override { return std::exchange(down_, {}); }
  void flush() override {}
  std::chrono::microseconds patience() const override {
    // What one side has just said, the other reads at the next wake, which is then at once.
    return std::chrono::microseconds(up_.empty() && down_.empty() ? 500'000 : 0);
  }
  void finish() override {}

 private:
  std::vector<std::string> up_, down_;
};

// True when a launcher (mpirun, srun --mpi=pmix) started this process as one of several ranks, so
// that MPI has to be initialised.
bool under_launcher();
// This process's rank as the launcher's environment says it, before any MPI is initialised; 0
// without one.
int launched_rank();

// The local link without a launcher, else the MPI link, which lives in the module occam-mpi.so
// beside the program, so that the program itself starts fast and runs where there is no MPI.
// Throws Error where a launcher is but the module is not, and where several Slurm tasks were
// started without --mpi=pmix.
std::unique_ptr<Link> make_link();

}  // namespace occam
