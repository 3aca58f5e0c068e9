#include "connectors/remote_places.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::string_view s3_scheme = "s3://";

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// The form in which keys are signed: all but the unreserved characters and the slash.
std::string escape_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                          c == '~' || c == '/';
    if (is_plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Result<HttpPlace> find_s3_place(const std::string& url, std::string name) {
  const std::string_view path = std::string_view(url).substr(s3_scheme.size());
  const std::string_view bucket = path.substr(0, path.find('/'));
  const std::string_view key = bucket.size() == path.size() ? "" : path.substr(bucket.size() + 1);
  const bool is_bucket = std::all_of(bucket.begin(), bucket.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
  if (bucket.empty() || key.empty() || !is_bucket) {
    return make_error(ErrorKind::config,
                      fmt::format("{} names no object of S3: write s3://bucket/key, and give the "
                                  "keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", name));
  }
  S3Access access{.region = environment("AWS_REGION"),
                  .key_id = environment("AWS_ACCESS_KEY_ID"),
                  .secret = environment("AWS_SECRET_ACCESS_KEY"),
                  .session_token = environment("AWS_SESSION_TOKEN")};
  if (access.region.empty()) access.region = environment("AWS_DEFAULT_REGION");
  if (access.region.empty()) access.region = "us-east-1";
  if (access.key_id.empty() != access.secret.empty()) {
    return make_error(ErrorKind::config,
                      fmt::format("{} needs both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in "
                                  "the environment, and only one is set.", name));
  }
  std::string endpoint = environment("AWS_ENDPOINT_URL");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  HttpPlace place;
  place.name = std::move(name);
  // A name with dots is under no certificate of the form *.s3.
  if (!endpoint.empty() || bucket.find('.') != std::string_view::npos) {
    if (endpoint.empty()) endpoint = fmt::format("https://s3.{}.amazonaws.com", access.region);
    place.url = fmt::format("{}/{}/{}", endpoint, bucket, escape_key(key));
  } else {
    place.url = fmt::format("https://{}.s3.{}.amazonaws.com/{}", bucket, access.region,
                            escape_key(key));
  }
  if (!access.key_id.empty()) place.s3 = std::move(access);
  return place;
}

}  // namespace

bool is_remote(std::string_view path) {
  return path.starts_with("http://") || path.starts_with("https://") ||
         path.starts_with(s3_scheme);
}

std::vector<std::string> remote_names(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  std::map<std::string, int> uses;
  for (const auto& path : paths) {
    std::string name = is_remote(path) ? url_without_password(path) : std::string();
    const int use = ++uses[name];
    if (!name.empty() && use > 1) name += fmt::format(" ({})", use);
    names.push_back(std::move(name));
  }
  return names;
}

Result<HttpPlace> find_remote_place(const std::string& url, std::string name) {
  const std::string address =
      url.starts_with(s3_scheme) ? url : url.substr(0, url.find_first_of("?#"));
  if (address.find('*') != std::string::npos) {
    return make_error(ErrorKind::config,
                      fmt::format("{} is a pattern, and servers have no lists of files to match it "
                                  "with: name the files in a list.", name));
  }
  if (url.starts_with(s3_scheme)) return find_s3_place(url, std::move(name));
  return HttpPlace{url, std::move(name)};
}

}  // namespace tranche
