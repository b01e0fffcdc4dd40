#pragma once

#include <filesystem>

#include "experiments/names.h"

namespace occam {

// Whether the folder is on a file system known to be of this machine alone: ext4, xfs, btrfs, zfs,
// tmpfs, overlay. Write-ahead logging shares memory between processes, which network file systems
// cannot; anything else counts as one.
bool is_on_local_disk(const std::filesystem::path& folder);

// How SQLite keeps a half-written transaction from spoiling a file: `automatic` is the write-ahead
// log on a local disk and the rollback journal elsewhere.
enum class Journal { automatic, wal, rollback };
template <>
std::span<const std::string_view> names_of<Journal>();

}  // namespace occam
