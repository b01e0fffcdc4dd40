#include "orchestrator/commands/worker_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "orchestrator/node.h"
#include "orchestrator/preflight.h"
#include "slurm/environment.h"

namespace occam {

Room room_of(const Link& link, const std::string& device) {
  Room room{link.local_rank(), link.local_size(), visible_gpus(), usable_cores(), link.own_gpus()};
  if (device == "cuda") return room;
  room.own = link.own_cores() && started_by_srun();
  if (!room.own)
    room.cores = std::min(room.cores, slurm_cores_of_node(room.ranks).value_or(room.cores));
  return room;
}

std::vector<std::vector<std::string>> worker_lines(const RunOptions& options,
                                                   const std::string& device, const Room& room) {
  const bool on_gpus = device == "cuda";  // where nothing is to run there is no device
  const int in_sight = on_gpus ? room.gpus : room.cores;
  const int wanted = options.workers > 0 ? options.workers : in_sight * (room.own ? room.ranks : 1);
  // Small steps fill a GPU together; a trial with large ones takes several slots. 0: as the worker
  // measures.
  const int slots = options.slots > 0 ? options.slots : on_gpus ? 0 : 1;
  std::vector<std::vector<std::string>> lines;
  for (int i = room.rank; i < wanted; i += room.ranks) {
    if (!options.worker.empty()) {
      lines.push_back({options.worker});
      continue;
    }
    const int gpu = (room.own ? i / room.ranks : i) % std::max(1, room.gpus);
    lines.push_back({worker_program(), "--device", on_gpus ? fmt::format("cuda:{}", gpu) : "cpu",
                     "--slots", std::to_string(slots), "--threads", std::to_string(options.threads),
                     "--parts", std::to_string(options.parts), "--checkpoint-every",
                     fmt::format("{}", options.checkpoint_every)});
    if (options.deterministic) lines.back().push_back("--deterministic");
    if (!options.data.empty()) lines.back().insert(lines.back().end(), {"--data", options.data});
  }
  return lines;
}

}  // namespace occam
