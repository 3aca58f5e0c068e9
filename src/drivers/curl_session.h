// What every transfer of ours has in common: curl is begun once a process, and a server is trusted
// when the system, or the file that the environment names, vouches for it. For the files of this
// room that include the header of curl.
//
// Threads: thread-safe, for handles of one thread each.
#pragma once

#include <curl/curl.h>

#include <cstdlib>
#include <mutex>
#include <string>

namespace tranche {

inline void begin_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// Options that hold for every transfer of a handle.
inline void set_manners(CURL* handle) {
  const auto environment = [](const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
  };
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "tranche/" TRANCHE_VERSION);
  const char* file = environment("CURL_CA_BUNDLE");
  if (file == nullptr) file = environment("SSL_CERT_FILE");
  if (file != nullptr) curl_easy_setopt(handle, CURLOPT_CAINFO, file);
}

// The header lines of a request.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { clear(); }
  void add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  void clear() {
    curl_slist_free_all(list_);
    list_ = nullptr;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace tranche
