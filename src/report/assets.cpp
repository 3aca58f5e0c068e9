#include "report/assets.h"

#include <array>

#include "base/text.h"

// The bytes of a file, as the assembler takes them in; the text ends before `name`_end.
#define TRANCHE_INCLUDE_FILE(name, file)                                                 \
  __asm__(".pushsection .rodata\n.balign 16\n.global tranche_asset_" #name               \
          "\n.hidden tranche_asset_" #name "\ntranche_asset_" #name ":\n.incbin \"" file \
          "\"\n.global tranche_asset_" #name "_end\n.hidden tranche_asset_" #name        \
          "_end\ntranche_asset_" #name "_end:\n.byte 0\n.popsection\n");                 \
  extern "C" __attribute__((visibility("hidden"))) const char tranche_asset_##name[];    \
  extern "C" __attribute__((visibility("hidden"))) const char tranche_asset_##name##_end[]

TRANCHE_INCLUDE_FILE(style, TRANCHE_STYLE_FILE);
TRANCHE_INCLUDE_FILE(tables, TRANCHE_TABLES_FILE);
TRANCHE_INCLUDE_FILE(charts, TRANCHE_CHARTS_FILE);
TRANCHE_INCLUDE_FILE(vega, TRANCHE_VEGA_FILE);
TRANCHE_INCLUDE_FILE(vega_lite, TRANCHE_VEGA_LITE_FILE);
TRANCHE_INCLUDE_FILE(vega_interpreter, TRANCHE_VEGA_INTERPRETER_FILE);
TRANCHE_INCLUDE_FILE(vega_license, TRANCHE_VEGA_LICENSE_FILE);

#define TRANCHE_ASSET_TEXT(name)         \
  std::string_view(tranche_asset_##name, \
                   static_cast<std::size_t>(tranche_asset_##name##_end - tranche_asset_##name))

namespace tranche::reporting {

const Asset& page_style() {
  static const Asset asset{TRANCHE_ASSET_TEXT(style), TRANCHE_STYLE_SHA256};
  return asset;
}
const Asset& table_script() {
  static const Asset asset{TRANCHE_ASSET_TEXT(tables), TRANCHE_TABLES_SHA256};
  return asset;
}
const Asset& chart_script() {
  static const Asset asset{TRANCHE_ASSET_TEXT(charts), TRANCHE_CHARTS_SHA256};
  return asset;
}
const Asset& vega_script() {
  static const Asset asset{TRANCHE_ASSET_TEXT(vega), TRANCHE_VEGA_SHA256};
  return asset;
}
const Asset& vega_lite_script() {
  static const Asset asset{TRANCHE_ASSET_TEXT(vega_lite), TRANCHE_VEGA_LITE_SHA256};
  return asset;
}
const Asset& vega_interpreter_script() {
  static const Asset asset{TRANCHE_ASSET_TEXT(vega_interpreter), TRANCHE_VEGA_INTERPRETER_SHA256};
  return asset;
}
std::string_view vega_license() { return TRANCHE_ASSET_TEXT(vega_license); }

std::string policy_source(const Asset& asset) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < asset.sha256.size(); i += 2) {
    bytes += static_cast<char>(digit(asset.sha256[i]) * 16 + digit(asset.sha256[i + 1]));
  }
  return "'sha256-" + base64(bytes) + "'";
}

}  // namespace tranche::reporting
