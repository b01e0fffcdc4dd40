#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace occam {

// Seconds of a time as Slurm writes it: minutes, minutes:seconds, hours:minutes:seconds,
// days-hours, days-hours:minutes or days-hours:minutes:seconds. Nothing for any other text, which
// is also how Slurm says that there is no limit.
std::optional<std::int64_t> slurm_seconds(const std::string& text);

}  // namespace occam
