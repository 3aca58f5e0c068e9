#include <set>

#include <fmt/format.h>

#include "connectors/postgres_fixture.h"

namespace tranche {
namespace {

constexpr std::int64_t group_rows = 2000;

class PostgresSuspects : public PostgresSinkTest {
 protected:
  struct Outcome {
    std::uint64_t rows = 0;
    std::vector<std::string> rejects;  // "record sqlstate"
  };

  // Of one committer, which remembers between groups what refused rows.
  Outcome load(const std::vector<std::vector<Row>>& groups) {
    auto sink = this->sink("append");
    recover(*sink);
    auto committer = sink->committer().value();
    Outcome outcome;
    std::uint64_t record = 0;
    for (std::size_t group = 0; group < groups.size(); ++group) {
      const auto applied =
          committer->apply(group, encode(*sink, page_of(groups[group], record)), "r");
      EXPECT_TRUE(applied) << applied.error().message;
      if (!applied) return outcome;
      EXPECT_TRUE(committer->commit());
      outcome.rows += applied->rows;
      for (const Reject& reject : applied->rejects) {
        outcome.rejects.push_back(fmt::format("{} {}", reject.record,
                                              reject.error.substr(reject.error.find('(') + 1, 5)));
      }
      record += groups[group].size();
    }
    return outcome;
  }

  // Groups of rows whose ids count on, and whose names `named` gives.
  template <class Named>
  static std::vector<std::vector<Row>> groups_of(std::size_t count, const Named& named) {
    std::vector<std::vector<Row>> groups(count);
    std::int64_t id = 0;
    for (auto& group : groups) {
      for (std::int64_t i = 0; i < group_rows; ++i, ++id) group.push_back({id, named(id)});
    }
    return groups;
  }
};

TEST_F(PostgresSuspects, OfEveryKindOfConstraintAreFoundInEveryGroup) {
  scene_.must(
      "CREATE TABLE p (name text PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b'); "
      "CREATE TABLE t (id bigint PRIMARY KEY CHECK (id % 97 <> 5), name text NOT NULL REFERENCES "
      "p)");
  auto groups = groups_of(4, [](std::int64_t id) -> std::optional<std::string> {
    if (id % 101 == 7) return std::nullopt;
    return id % 103 == 9 ? "orphan" : "a";
  });
  std::set<std::int64_t> present;
  std::vector<std::string> expected;
  std::uint64_t record = 0;
  for (auto& group : groups) {
    for (Row& row : group) {
      // Of the group before, and of this one.
      if (record % 107 == 11 && record > group_rows) *row.id -= group_rows;
      if (record % 109 == 13) *row.id -= 1;
      const char* refused = nullptr;
      if (!row.name) {
        refused = "23502";
      } else if (*row.id % 97 == 5) {
        refused = "23514";
      } else if (present.count(*row.id) > 0) {
        refused = "23505";
      } else if (*row.name == "orphan") {
        refused = "23503";
      }
      if (refused != nullptr) {
        expected.push_back(fmt::format("{} {}", record, refused));
      } else {
        present.insert(*row.id);
      }
      ++record;
    }
  }
  const Outcome outcome = load(groups);
  EXPECT_EQ(outcome.rejects, expected);
  EXPECT_EQ(outcome.rows, present.size());
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), static_cast<std::int64_t>(present.size()));
}

TEST_F(PostgresSuspects, GoInWhenTheyProveInnocent) {
  scene_.must(
      "CREATE TABLE t (id bigint, name text NOT NULL); CREATE FUNCTION f() RETURNS trigger "
      "LANGUAGE plpgsql AS $$ BEGIN IF new.id % 100 <> 7 THEN new.name = coalesce(new.name, "
      "'mended'); END IF; RETURN new; END $$; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW "
      "EXECUTE FUNCTION f()");
  const auto groups = groups_of(3, [](std::int64_t id) -> std::optional<std::string> {
    return id % 50 == 7 ? std::nullopt : std::optional<std::string>("a");
  });
  const Outcome outcome = load(groups);
  EXPECT_EQ(outcome.rejects.size(), 60U);
  EXPECT_EQ(outcome.rows, 3 * group_rows - 60U);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t WHERE name = 'mended'"), 60);
}

TEST_F(PostgresSuspects, DoNotHideRowsThatNobodySuspects) {
  scene_.must(
      "CREATE TABLE t (id bigint CHECK (id % 100 <> 7), name text); CREATE FUNCTION f() RETURNS "
      "trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id % 100 = 60 THEN RAISE 'sixty'; END IF; "
      "RETURN new; END $$; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  const Outcome outcome = load(groups_of(3, [](std::int64_t) { return "a"; }));
  EXPECT_EQ(outcome.rejects.size(), 120U);
  EXPECT_EQ(outcome.rejects[0], "7 23514");
  EXPECT_EQ(outcome.rejects[1], "60 P0001");
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 3 * group_rows - 120);
}

// A check that fails by itself for some rows can't be asked of all.
TEST_F(PostgresSuspects, AreNobodyWhereTheQuestionFails) {
  scene_.must("CREATE TABLE t (id bigint CHECK (100 / (id % 1000 - 8) <> -100), name text)");
  const Outcome outcome = load(groups_of(2, [](std::int64_t) { return "a"; }));
  EXPECT_EQ(outcome.rejects,
            (std::vector<std::string>{"7 23514", "8 22012", "1007 23514", "1008 22012",
                                      "2007 23514", "2008 22012", "3007 23514", "3008 22012"}));
}

}  // namespace
}  // namespace tranche
