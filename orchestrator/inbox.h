#pragma once

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace occam {

// How other processes ask a running sweep for something: JSON files in the folder
// "<database>.inbox", each renamed into place whole and answered by a file beside it.
class Inbox {
 public:
  // Makes the folder, and forgets what an earlier coordinator left in it. Where it cannot be made
  // there are no requests.
  explicit Inbox(const std::string& database);
  ~Inbox();
  Inbox(const Inbox&) = delete;

  struct Request {
    std::string name;
    nlohmann::json body;
  };
  // Those that have come since, in their order.
  std::vector<Request> take() const;
  // `text` is what the asking command prints; not `granted` makes it an error there.
  void answer(const Request& request, bool granted, const std::string& text) const;

 private:
  std::filesystem::path folder_;
};

// Asks the coordinator that writes the database and waits for its answer, which is returned. Throws
// Error when it refuses, and when it ends or stays silent instead; then, and when a signal ends the
// waiting, the request is withdrawn, unless it is being granted. What it waits for it tells `words`
// once, after some seconds.
std::string ask_coordinator(const std::string& database, const nlohmann::json& body,
                            std::ostream& words = std::cerr,
                            std::chrono::duration<double> patience = std::chrono::seconds(60));

}  // namespace occam
