#include "images/picture.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>

#include "experiments/error.h"
#include "images/exif.h"
#include "images/npy_header.h"

namespace occam {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::int64_t kMostPixels = 1LL << 28, kMostSide = 1 << 16;

Bytes bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) throw Error("cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

Picture blank(std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || std::max(width, height) > kMostSide ||
      width > kMostPixels / height)
    throw Error("is " + std::to_string(width) + " x " + std::to_string(height) + " pixels");
  return {static_cast<int>(width), static_cast<int>(height),
          Bytes(static_cast<std::size_t>(3 * width * height))};
}

Picture decode_jpeg(const Bytes& bytes) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  // Stray bytes between markers leave the image whole; whatever else it complains of does not.
  const auto check = [&](int code) {
    if (code == 0) return;
    const std::string why = tjGetErrorStr2(decoder.get());
    if (why.find("extraneous bytes before marker") == std::string::npos)
      throw Error("is a damaged JPEG: " + why);
  };
  int width = 0, height = 0, subsampling = 0, colours = 0;
  check(tjDecompressHeader3(decoder.get(), bytes.data(), bytes.size(), &width, &height,
                            &subsampling, &colours));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    throw Error("is a JPEG of printing inks (CMYK); save it as RGB or gray");
  Picture picture = blank(width, height);
  check(tjDecompress2(decoder.get(), bytes.data(), bytes.size(), picture.rgb.data(), width, 0,
                      height, TJPF_RGB, TJFLAG_ACCURATEDCT));
  return upright(picture, exif_orientation(bytes));
}

// Without its gamma, by which libpng would make other values of those that are stored.
Bytes without_gamma(const Bytes& bytes) {
  constexpr std::size_t kSignature = 8, kAround = 12;  // a chunk's length, type and checksum
  Bytes kept(bytes.begin(), bytes.begin() + std::min(kSignature, bytes.size()));
  for (std::size_t at = kept.size(); at < bytes.size();) {
    std::size_t size = bytes.size() - at;
    if (size >= kAround) size = std::min(size, kAround + png_get_uint_32(bytes.data() + at));
    const auto chunk = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    if (size < kAround || !std::equal(chunk + 4, chunk + 8, "gAMA"))
      kept.insert(kept.end(), chunk, chunk + static_cast<std::ptrdiff_t>(size));
    at += size;
  }
  return kept;
}

Picture decode_png(const Bytes& stored) {
  const Bytes bytes = without_gamma(stored);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> freed(&image, png_image_free);
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    throw Error(std::string("is a damaged PNG: ") + image.message);
  if (image.format & PNG_FORMAT_FLAG_LINEAR) throw Error("has 16 bits a channel; save it with 8");
  image.format = PNG_FORMAT_RGBA;
  Picture picture = blank(image.width, image.height);
  Bytes with_alpha(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, with_alpha.data(), 0, nullptr) ||
      PNG_IMAGE_FAILED(image) || (image.warning_or_error & PNG_IMAGE_ERROR))
    throw Error(std::string("is a damaged PNG: ") + image.message);
  for (std::size_t pixel = 0; pixel < picture.rgb.size() / 3; ++pixel)
    std::copy_n(with_alpha.data() + 4 * pixel, 3, picture.rgb.data() + 3 * pixel);
  return picture;
}

Picture decode_npy(const Bytes& bytes) {
  const NpyHeader header = read_npy_header(
      {bytes.begin(),
       bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes.size(), 4096))});
  const auto& sizes = header.sizes;
  const bool flat = sizes.size() == 2 || (sizes.size() == 3 && sizes[2] == 1);
  if (header.kind != "|u1" || !(flat || (sizes.size() == 3 && sizes[2] == 3)))
    throw Error("holds no image: wanted are bytes (uint8), height x width or height x width x 3");
  // A claim costs no memory before it is known to be true.
  const std::int64_t wanted = sizes[0] * sizes[1] * (flat ? 1 : 3);
  if (static_cast<std::int64_t>(bytes.size() - header.bytes) != wanted)
    throw Error("does not hold the numbers that it announces");
  Picture picture = blank(sizes[1], sizes[0]);
  const std::uint8_t* from = bytes.data() + header.bytes;
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = from[flat ? i / 3 : i];
  return picture;
}

}  // namespace

bool is_image_name(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".npy";
}

Picture decode(const std::filesystem::path& path) {
  try {
    const Bytes bytes = bytes_of(path);
    const auto begins = [&](std::string_view magic) {
      return bytes.size() >= magic.size() &&
             std::equal(magic.begin(), magic.end(), bytes.begin(),
                        [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
    };
    if (begins("\xFF\xD8")) return decode_jpeg(bytes);
    if (begins("\x89PNG")) return decode_png(bytes);
    if (begins("\x93NUMPY")) return decode_npy(bytes);
    throw Error(bytes.empty() ? "is empty" : "is no JPEG, PNG or .npy");
  } catch (const Error& problem) {
    throw Error(path.string() + ": " + problem.what());
  } catch (const std::bad_alloc&) {
    throw Error(path.string() + ": takes more memory than there is");
  }
}

Picture crop(const Picture& picture, int y, int x, int height, int width) {
  Picture part = blank(width, height);
  for (int row = 0; row < height; ++row)
    std::copy_n(
        picture.at(y + row, x), 3 * static_cast<std::size_t>(width),
        part.rgb.data() + 3 * static_cast<std::size_t>(row) * static_cast<std::size_t>(width));
  return part;
}

}  // namespace occam
