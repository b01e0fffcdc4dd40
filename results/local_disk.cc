#include "results/local_disk.h"

#include <linux/magic.h>
#include <sys/vfs.h>

namespace occam {

bool is_on_local_disk(const std::filesystem::path& folder) {
  constexpr long kXfs = 0x58465342, kZfs = 0x2fc12fc1;  // not in linux/magic.h
  struct statfs about {};
  if (statfs(folder.c_str(), &about) != 0) return false;
  switch (static_cast<long>(about.f_type)) {
    case EXT4_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case kXfs:
    case kZfs:
      return true;
    default:
      return false;
  }
}

template <>
std::span<const std::string_view> names_of<Journal>() {
  static constexpr std::string_view names[] = {"auto", "wal", "rollback"};
  return names;
}

}  // namespace occam
