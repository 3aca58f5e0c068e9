// A walk over the keys of a table in PostgreSQL. The server counts: what is passed never leaves it,
// so that with an index on the key, or by the place of rows, the table is gone over once.
//
// Threads: one. Lifetime: the connection outlives the cursor and is in the transaction whose
// snapshot counts.
#pragma once

#include <memory>
#include <string>

#include "connectors/postgres_relation.h"

namespace tranche::postgres {

class ServerKeyCursor final : public KeyCursor {
 public:
  // Begins where `begin` does. `filter`: a condition on all records, or "true".
  ServerKeyCursor(PostgresConnection& connection, const Relation& relation, RelationKey key,
                  std::string filter, KeyRange begin)
      : connection_(connection),
        from_(relation.from),
        key_(std::move(key)),
        filter_(std::move(filter)),
        ahead_(std::move(begin)) {}
  Result<std::optional<KeyMark>> advance(const KeyStep& step) override;
  Result<std::optional<Key>> next_key() override;

 private:
  std::string records(const KeyRange& range, std::string_view of) const;
  Result<std::optional<std::string>> key_at(const KeyRange& range, std::uint64_t offset);
  Result<std::optional<KeyMark>> rest(const KeyRange& range);
  Result<std::optional<KeyMark>> nulls();

  PostgresConnection& connection_;
  std::string from_;
  RelationKey key_;
  std::string filter_;
  KeyRange ahead_;                // what is not passed, but for the nulls
  std::optional<Key> next_;       // the first key of it, where somebody asked
  bool are_keys_passed_ = false;
  bool are_nulls_passed_ = false;
};

}  // namespace tranche::postgres
