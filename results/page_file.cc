#include "results/page_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "experiments/error.h"
#include "results/file_header.h"

namespace occam {
namespace {

using nlohmann::json;

// The kinds of a tree's pages.
constexpr unsigned char kIndexInterior = 2, kTableInterior = 5, kIndexLeaf = 10, kTableLeaf = 13;

// Seven bits a byte, the ninth byte whole; moves `at` behind it. Nothing behind the end.
std::optional<std::uint64_t> take_varint(const std::string& bytes, std::size_t& at) {
  std::uint64_t number = 0;
  for (int i = 0; i < 9; ++i, ++at) {
    if (at >= bytes.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (i == 8) {
      ++at;
      return number << 8 | byte;
    }
    number = number << 7 | (byte & 127);
    if (byte < 128) {
      ++at;
      return number;
    }
  }
  return std::nullopt;
}

bool is_utf8(const std::string& text) {
  try {
    return !json(text).dump().empty();
  } catch (const json::type_error&) {
    return false;
  }
}

// One value, and how many bytes of a record it takes. Text that is no UTF-8 is none of occam's, nor
// is a blob.
struct Value {
  json value;
  std::uint64_t bytes;
};
std::optional<Value> value_at(const std::string& record, std::size_t at, std::uint64_t type) {
  constexpr std::uint64_t kBytes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  if (type == 10 || type == 11 || (type >= 12 && type % 2 == 0)) return std::nullopt;
  const std::uint64_t bytes = type < 12 ? kBytes[type] : (type - 13) / 2;
  if (at > record.size() || bytes > record.size() - at) return std::nullopt;
  if (type == 0) return Value{json(), 0};
  if (type >= 8 && type <= 9) return Value{json(static_cast<std::int64_t>(type - 8)), 0};
  if (type >= 13) {
    std::string text = record.substr(at, bytes);
    if (!is_utf8(text)) return std::nullopt;
    return Value{json(std::move(text)), bytes};
  }
  const std::uint64_t raw = number_at(record, at, bytes);
  if (type == 7) return Value{json(std::bit_cast<double>(raw)), bytes};
  const int unused = static_cast<int>(64 - 8 * bytes);  // the sign is the number's first bit
  return Value{json(static_cast<std::int64_t>(raw << unused) >> unused), bytes};
}

// Nothing unless the record is whole to its last byte.
std::optional<std::vector<json>> values_of(const std::string& record) {
  std::size_t at = 0;
  const auto header = take_varint(record, at);
  if (!header || *header > record.size()) return std::nullopt;
  std::size_t body = *header;
  std::vector<json> values;
  while (at < *header) {
    const auto type = take_varint(record, at);
    if (!type) return std::nullopt;
    auto value = value_at(record, body, *type);
    if (!value) return std::nullopt;
    body += value->bytes;
    values.push_back(std::move(value->value));
  }
  if (at != *header || body != record.size()) return std::nullopt;
  return values;
}

}  // namespace

PageFile::PageFile(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat about {};
  if (file_ < 0 || fstat(file_, &about) != 0)
    throw Error(path + ": cannot be read: " + std::strerror(errno));
  std::string header(kHeaderBytes, '\0');
  if (pread(file_, header.data(), header.size(), 0) == static_cast<ssize_t>(header.size()) &&
      header.compare(0, kMagic.size(), kMagic) == 0) {
    const std::size_t told = page_bytes_of(header);
    if (told >= 512 && std::has_single_bit(told)) page_bytes_ = told;
    const std::size_t reserved = number_at(header, kReservedBytes, 1);
    usable_ = page_bytes_ - (reserved <= page_bytes_ - 480 ? reserved : 0);  // 480 are the least
  }
  const auto size = static_cast<std::uint64_t>(about.st_size);
  pages_ = static_cast<std::uint32_t>((size + page_bytes_ - 1) / page_bytes_);
}

PageFile::~PageFile() { close(file_); }

// What is there of it: the file may be cut off in it, or a part of the disk may be unreadable.
std::string PageFile::bytes_of(std::uint32_t number) const {
  std::string bytes(page_bytes_, '\0');
  if (number == 0 || number > pages_) return "";
  const auto begin = static_cast<off_t>(number - 1) * static_cast<off_t>(page_bytes_);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t count =
        pread(file_, bytes.data() + have, bytes.size() - have, begin + static_cast<off_t>(have));
    if (count <= 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(std::min(have, usable_));
  return bytes;
}

// What does not fit into its page goes on in a chain of others.
std::optional<std::string> PageFile::payload(const std::string& page, std::size_t at,
                                             std::uint64_t bytes, bool has_rowids) const {
  if (bytes > static_cast<std::uint64_t>(pages_) * page_bytes_) return std::nullopt;
  const std::uint64_t most = has_rowids ? usable_ - 35 : (usable_ - 12) * 64 / 255 - 23;
  std::uint64_t here = bytes;
  if (bytes > most) {
    const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
    here = least + (bytes - least) % (usable_ - 4);
    if (here > most) here = least;
  }
  if (at > page.size() || here + (here < bytes ? 4 : 0) > page.size() - at) return std::nullopt;
  std::string all = page.substr(at, here);
  std::uint64_t next = here < bytes ? number_at(page, at + here, 4) : 0;
  while (all.size() < bytes) {
    if (next == 0 || next > pages_) return std::nullopt;
    const std::string more = bytes_of(static_cast<std::uint32_t>(next));
    if (more.size() < std::min<std::uint64_t>(usable_, bytes - all.size() + 4)) return std::nullopt;
    next = number_at(more, 0, 4);
    all += more.substr(4, bytes - all.size());
  }
  return all;
}

std::optional<StoredRow> PageFile::row(const std::string& page, std::size_t at,
                                       bool has_rowids) const {
  const auto bytes = take_varint(page, at);
  const auto rowid = has_rowids ? take_varint(page, at) : std::uint64_t{0};
  if (!bytes || !rowid) return std::nullopt;
  const auto record = payload(page, at, *bytes, has_rowids);
  auto values = record ? values_of(*record) : std::nullopt;
  if (!values) return std::nullopt;
  return StoredRow{static_cast<std::int64_t>(*rowid), std::move(*values)};
}

std::optional<TreePage> PageFile::tree_page(std::uint32_t number) const {
  const std::string page = bytes_of(number);
  const std::size_t begin = number == 1 ? kHeaderBytes : 0;
  if (page.size() <= begin) return std::nullopt;
  const auto kind = static_cast<unsigned char>(page[begin]);
  const bool leaf = kind == kTableLeaf || kind == kIndexLeaf;
  if (!leaf && kind != kTableInterior && kind != kIndexInterior) return std::nullopt;
  const std::uint64_t cells = number_at(page, begin + 3, 2);
  const std::size_t pointers = begin + (leaf ? 8 : 12);
  if (pointers + 2 * cells > page.size()) return std::nullopt;

  TreePage found{kind == kTableLeaf || kind == kTableInterior, {}, {}};
  for (std::uint64_t i = 0; i < cells; ++i) {
    std::size_t at = number_at(page, pointers + 2 * i, 2);
    if (!leaf) {
      found.children.push_back(static_cast<std::uint32_t>(number_at(page, at, 4)));
      at += 4;
    }
    if (kind == kTableInterior) continue;
    if (auto one = at >= pointers + 2 * cells ? row(page, at, found.has_rowids) : std::nullopt)
      found.rows.push_back(std::move(*one));
    else
      ++found.unreadable_rows;
  }
  if (!leaf) found.children.push_back(static_cast<std::uint32_t>(number_at(page, begin + 8, 4)));
  return found;
}

std::unordered_set<std::uint32_t> PageFile::free_pages() const {
  std::unordered_set<std::uint32_t> all;
  const std::string header = bytes_of(1);
  if (header.compare(0, kMagic.size(), kMagic) != 0) return all;
  // A list of lists: each begins with the next one's page and its own length.
  for (std::uint64_t list = number_at(header, kFirstFree, 4);
       list > 1 && list <= pages_ && all.insert(static_cast<std::uint32_t>(list)).second;) {
    const std::string page = bytes_of(static_cast<std::uint32_t>(list));
    const std::uint64_t count = std::min<std::uint64_t>(number_at(page, 4, 4), page.size() / 4);
    for (std::uint64_t i = 0; i < count; ++i)
      all.insert(static_cast<std::uint32_t>(number_at(page, 8 + 4 * i, 4)));
    list = number_at(page, 0, 4);
  }
  return all;
}

}  // namespace occam
