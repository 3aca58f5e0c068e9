#include "drivers/http_url.h"

#include <memory>

#include <fmt/format.h>

#include "base/text.h"
#include "drivers/curl_session.h"

namespace tranche {
namespace {

struct Freed {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(char* text) const { curl_free(text); }
};
using Url = std::unique_ptr<CURLU, Freed>;

std::string part_of(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, Freed> owned(text);
  return text;
}

std::string encoded(std::string_view text) {
  const std::unique_ptr<char, Freed> made(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())));
  return made ? made.get() : std::string();
}

std::string server_of(const std::string& text) {
  const Url url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  return fmt::format("{}://{}:{}", part_of(url, CURLUPART_SCHEME),
                     to_lower(part_of(url, CURLUPART_HOST)),
                     part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

// Whether the parameters of a link, as in `; rel="next prev"; title=x`, name the relation.
bool has_relation(std::string_view parameters, std::string_view relation) {
  for (const std::string& parameter : split(parameters, ';')) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string::npos || to_lower(trim(parameter.substr(0, equals))) != "rel")
      continue;
    std::string_view value = trim(std::string_view(parameter).substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    for (const std::string& word : split(value, ' '))
      if (to_lower(word) == relation) return true;
  }
  return false;
}

// The end of the parameters that begin at `begin`: a comma outside quotes, or the end.
std::size_t end_of_parameters(std::string_view header, std::size_t begin) {
  bool is_quoted = false;
  for (std::size_t i = begin; i < header.size(); ++i) {
    if (is_quoted && header[i] == '\\')
      ++i;
    else if (header[i] == '"')
      is_quoted = !is_quoted;
    else if (header[i] == ',' && !is_quoted)
      return i;
  }
  return header.size();
}

}  // namespace

Result<std::string> resolve_url(const std::string& base, const std::string& link) {
  const Url url(curl_url());
  if (url && curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
      curl_url_set(url.get(), CURLUPART_URL, link.c_str(), 0) == CURLUE_OK) {
    std::string made = part_of(url, CURLUPART_URL);
    if (made.starts_with("http://") || made.starts_with("https://")) return made;
  }
  return make_error(ErrorKind::bad_record,
                    fmt::format("is \"{}\", which leads nowhere", excerpt(link)));
}

bool is_same_server(const std::string& url, const std::string& other) {
  const std::string server = server_of(url);
  return !server.empty() && server == server_of(other);
}

std::string with_parameter(const std::string& url, std::string_view name, std::string_view value) {
  const std::string_view all = std::string_view(url).substr(0, url.find('#'));
  const std::size_t mark = all.find('?');
  std::string made(all.substr(0, mark));
  made += '?';
  const std::string key = encoded(name) + '=';
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : all.substr(mark + 1);
  for (const std::string& pair : split(query, '&')) {
    const bool is_same = pair.starts_with(key) || pair.starts_with(std::string(name) + '=');
    if (!pair.empty() && !is_same) made += pair + '&';
  }
  return made + key + encoded(value);
}

std::optional<std::string> find_link(std::string_view header, std::string_view relation) {
  for (std::size_t at = 0; (at = header.find('<', at)) != std::string_view::npos;) {
    const std::size_t close = header.find('>', at);
    if (close == std::string_view::npos) return std::nullopt;
    const std::size_t end = end_of_parameters(header, close + 1);
    if (has_relation(header.substr(close + 1, end - close - 1), relation))
      return std::string(header.substr(at + 1, close - at - 1));
    at = end;
  }
  return std::nullopt;
}

}  // namespace tranche
