// Arrow's IPC stream: a message with the schema, then one for each batch of rows.
// https://arrow.apache.org/docs/format/Columnar.html (IPC Streaming Format)
//
// Uncompressed, without dictionaries, little-endian. What is read is not trusted: every buffer is
// judged to hold what its array says before anybody looks into it.
//
// Threads: belongs to one thread; a batch keeps its own bytes. Errors: failed, with a part of a
// sentence about what was said: "a message that ...".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/schema.h>
#include <tranche/plugin.h>

#include "formats/arrow_export.h"
#include "formats/arrow_import.h"

namespace tranche {

std::string arrow_schema_message(const Schema& schema);
// `root`: of an ArrowExport whose columns are those of the schema message.
void append_arrow_batch(std::string& out, const ArrowExport::Node& root);

class ArrowStreamReader {
 public:
  // The bytes of the first message of `heard`; 0: it has not come as a whole yet.
  static Result<std::size_t> message_bytes(std::string_view heard);

  enum class Kind { schema, batch, end };
  // REQUIRES a whole message.
  Result<Kind> take(std::string_view message);
  // The columns of the stream. REQUIRES that a schema was taken.
  const ArrowSchema& schema() const;
  // Of the latest batch; a struct array.
  std::shared_ptr<const ArrowHolder> batch() const { return batch_; }

  struct Field;

 private:
  Result<void> take_schema(std::string_view metadata);
  Result<void> take_batch(std::string_view metadata, std::string_view body);
  std::shared_ptr<Field> schema_;
  std::shared_ptr<const ArrowHolder> batch_;
};

}  // namespace tranche
