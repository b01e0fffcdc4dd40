#pragma once

#include <filesystem>

namespace occam {

// Whether the folder is on a file system known to be of this machine alone: ext4, xfs, btrfs, zfs,
// tmpfs, overlay. Write-ahead logging shares memory between processes, which network file systems
// cannot; anything else counts as one.
bool is_on_local_disk(const std::filesystem::path& folder);

}  // namespace occam
