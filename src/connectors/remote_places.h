// Files that are named by a URL: http, https and s3. What messages, the plan and the ledger call
// them holds no secret; what they are fetched by does.
//
// Threads: pure but for the environment. Errors: config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/curl.h"

namespace tranche {

bool is_remote(std::string_view path);

// The names of those of `paths` that are remote, in order, empty for the others. A URL goes without
// user and query; where two differ in nothing else, the second is "... (2)".
std::vector<std::string> remote_names(const std::vector<std::string>& paths);

// `url`: as the job has it. s3://bucket/key is looked for at AWS_ENDPOINT_URL, else at Amazon, with
// the region and the keys of the environment; without keys nothing is signed.
Result<HttpPlace> find_remote_place(const std::string& url, std::string name);

}  // namespace tranche
