#pragma once

#include <functional>

#include "orchestrator/inbox.h"
#include "orchestrator/sweep.h"

namespace occam {

// "2 cancelled; 1 has an outcome, which stays": what Store::cancel did, and why not to all.
std::string cancelled_text(const Store& store, const std::vector<std::string>& trials,
                           std::size_t cancelled);

// Grants what comes into a running sweep's inbox:
//   {"do": "add", "spec": its text, "file": its name}     more trials, of the same name or
//   another's
//   {"do": "cancel" or "retry", "trials": [ids]}
// One thread.
class Requests {
 public:
  using Time = Sweep::Time;
  // `wanted` says which trials an added spec brings; `prepare` readies work as the run was asked
  // to, and throws Error for trials that cannot run here.
  Requests(Store& store, Sweep& sweep, std::filesystem::path work, Wanted wanted,
           FindSource find_source, std::function<void(MissingWork&)> prepare);

  // Looks into the inbox, some times a second.
  void tick(Time now);

 private:
  std::string grant(const nlohmann::json& body);
  std::string add(const std::string& text, const std::string& file);

  Store& store_;
  Sweep& sweep_;
  std::filesystem::path work_;
  Wanted wanted_;
  FindSource find_source_;
  std::function<void(MissingWork&)> prepare_;
  Inbox inbox_;
  Time looked_{};
};

}  // namespace occam
