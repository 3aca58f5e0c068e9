#include "api/move.h"

#include <stdlib.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include "api/backup_manifest.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/catalog_types.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

Error bad_order(std::string message) { return make_error(ErrorKind::config, std::move(message)); }

bool fits_any(const CatalogName& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fits(name, pattern); });
}

bool is_chosen(const CatalogName& name, const MoveOrder& order) {
  return (order.tables.empty() || fits_any(name, order.tables)) && !fits_any(name, order.exclude);
}

std::string step_name(const CatalogName& name, std::set<std::string>& taken) {
  std::string step;
  const std::string text = name.schema == "public" ? name.name : name.text();
  for (const char c : text) {
    const bool is_plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    step += is_plain ? c : '_';
  }
  if (step.empty() || step[0] == '.' || step[0] == '-') step = "t" + step;
  step = step.substr(0, 80);
  std::string unique = step;
  for (int number = 2; !taken.insert(unique).second; ++number)
    unique = fmt::format("{}-{}", step, number);
  return unique;
}

// Whole numbers that the target has no type for go as text: Parquet has none of 128 bits, SQLite
// none beyond 64 bits with a sign.
void write_wide_numbers_as_text(Catalog& catalog, const MoveOrder& order) {
  const bool is_sqlite = order.kind != MoveKind::backup && order.target.system == "sqlite";
  for (CatalogTable& table : catalog.tables) {
    for (CatalogColumn& column : table.columns) {
      const bool is_too_wide =
          (column.type.id == TypeId::hugeint && (is_sqlite || order.kind == MoveKind::backup)) ||
          (column.type.id == TypeId::ubigint && is_sqlite);
      if (!is_too_wide) continue;
      column.type = Type{TypeId::varchar};
      column.is_text_of = true;
    }
  }
}

// Whether the values travel as SQLite's literals: where they come back as what they were, and where
// their text alone would not tell what they are.
bool goes_as_literals(const CatalogColumn& column, const MoveOrder& order) {
  if (column.classes.empty()) return false;
  return order.kind == MoveKind::backup || order.target.system == "sqlite" ||
         column.needs_literals();
}

// Of a backup: what its files hold otherwise.
std::vector<std::string> kept_as_literals(const Catalog& catalog) {
  std::vector<std::string> changes;
  for (const CatalogTable& table : catalog.tables)
    for (const CatalogColumn& column : table.columns)
      if (!column.classes.empty())
        changes.push_back(
            fmt::format("values of {}.{} ({}) are kept as SQL literals, as in 5, 'x', "
                        "x'00ff'",
                        table.name.text(), column.name, class_names(column)));
  return changes;
}

// Takes out the tables without columns, whose rows no statement could write.
std::vector<NotCarried> leave_empty_shapes_out(Catalog& catalog) {
  std::vector<NotCarried> left;
  std::erase_if(catalog.tables, [&](const CatalogTable& table) {
    if (!table.columns.empty()) return false;
    left.push_back({"table " + table.name.text(), "it has no columns"});
    return true;
  });
  return left;
}

// By which a table is divided where its system has nothing of its own.
std::string batch_key(const Catalog& catalog, const CatalogTable& table) {
  const CatalogKey* const key = table.primary_key();
  if (table.has_addresses || (catalog.system == "postgres" && key && key->columns.size() == 1))
    return {};
  if (key != nullptr && !key->columns.empty()) return key->columns[0];
  for (const CatalogColumn& column : table.columns)
    if (is_numeric(column.type) || column.type.id == TypeId::timestamp ||
        column.type.id == TypeId::varchar)
      return column.name;
  return {};
}

// What the ledger knows of the job's latest run.
Result<Json> latest_run(const std::filesystem::path& state, const std::string& job) {
  if (!Ledger::exists(state)) return Json(Json::Object{});
  const auto opened = Ledger::open_existing_read_only(state);
  // Of one that was killed while it made its ledger there is nothing yet.
  if (!opened && opened.error().kind == ErrorKind::usage) return Json(Json::Object{});
  if (!opened) return opened.error();
  const auto& ledger = *opened;
  TRANCHE_ASSIGN(const auto run, ledger->latest_run(job));
  if (!run) return Json(Json::Object{});
  Json done{Json::Array{}};
  TRANCHE_ASSIGN(const auto steps, ledger->list_steps(run->run));
  for (const auto& step : steps)
    if (step.state == "completed") done.push(step.name);
  return Json().set("run", run->run).set("state", run->state).set("done", std::move(done));
}

}  // namespace

Result<Move> Move::prepare(MoveOrder order, RunOptions options) {
  // The ledger keeps the names of the variables, not their values.
  const auto name = [](DatabasePlace& place, const char* variable) {
    if (place.url.empty()) return;
    ::setenv(variable, place.url.c_str(), 1);
    if (!place.is_file()) place.unresolved = fmt::format("${{env:{}}}", variable);
  };
  name(order.source, source_variable);
  name(order.target, target_variable);
  Move move(std::move(order), std::move(options), std::nullopt);
  TRANCHE_TRY(move.begin_or_go_on());
  return move;
}

Result<Move> Move::prepare_in_run(MoveOrder order, RunOptions options, MoveOwner owner) {
  Move move(std::move(order), std::move(options), std::move(owner));
  TRANCHE_TRY(move.begin_or_go_on());
  return move;
}

Result<void> Move::examine(MoveOrder order, std::filesystem::path state) {
  Move move(std::move(order), {}, MoveOwner{{}, std::move(state)});
  TRANCHE_TRY(move.look_at_earlier());
  // What SQLite's columns hold only its rows tell, and reading all of them is the move's own work.
  if (move.order_.kind != MoveKind::backup || move.order_.source.system != "sqlite")
    return move.plan_anew();
  TRANCHE_TRY(move.check_folder());
  TRANCHE_TRY(open_to_read(move.order_.source));
  return {};
}

Move::Move(MoveOrder order, RunOptions options, std::optional<MoveOwner> owner)
    : order_(std::move(order)),
      options_(std::move(options)),
      state_(order_.kind == MoveKind::backup ? order_.folder / ".tranche"
             : owner                         ? owner->state
                                             : state_folder(options_.state, {})),
      owner_(std::move(owner)),
      ask_(owner_ ? ask_here : ask_aside) {
  options_.state = state_;
}

Result<void> Move::begin_or_go_on() {
  TRANCHE_TRY(look_at_earlier());
  TRANCHE_ASSIGN(is_done_before_, find_done());
  if (is_done_before_) {
    is_resumed_ = is_done_ = true;
    job_ = make_job(plan_, order_);
    return {};
  }
  const bool is_unfinished =
      last_state_ == "running" || last_state_ == "failed" || last_state_ == "stopped";
  const bool is_of_plan = begun_ && last_run_ != begun_->after_run;
  const bool is_own = is_of_plan && begun_->owner == owner();
  if (is_of_plan && is_unfinished && !is_own && !owner_ && !options_.fresh) {
    return bad_order(fmt::format(
        "{} was begun by a step of run {}. Go on with that, or give it up with --fresh.",
        order_.target_name(), begun_->owner.substr(0, 8)));
  }
  bool goes_on = is_own && !options_.fresh && (is_unfinished || last_state_ == "completed");
  if (goes_on) {
    is_done_ = !is_unfinished;
    TRANCHE_ASSIGN(goes_on, go_on());
  }
  if (!goes_on) {
    if (is_of_plan && is_unfinished) TRANCHE_TRY(give_up_earlier());
    // A run whose plan is gone can't be gone on with.
    options_.fresh = is_unfinished;
    options_.accept_committed = true;
    options_.again = true;
    TRANCHE_TRY(plan_anew());
  }
  job_ = make_job(plan_, order_);
  return {};
}

Result<void> Move::look_at_earlier() {
  const std::filesystem::path path = plan_path();
  if (file_exists(path)) {
    TRANCHE_ASSIGN(begun_, read_move_plan(path));
  }
  const std::string job = move_job_name(order_);
  TRANCHE_ASSIGN(const Json last, ask_([&] { return latest_run(state_, job); }));
  last_run_ = last["run"].text();
  last_state_ = last["state"].text();
  if (!begun_) return {};
  std::set<std::string> done;
  for (const Json& step : last["done"].items()) done.insert(step.text());
  has_rows_left_ = std::any_of(begun_->tables.begin(), begun_->tables.end(),
                               [&](const MovedTable& table) { return !done.contains(table.step); });
  return {};
}

// Whether the same command has done all that this one asks for, and it is still there: one that was
// killed before it could say so is typed again.
Result<bool> Move::find_done() {
  const bool adds_to_it = !order_.since.empty();
  if (begun_ || owner_ || options_.fresh || adds_to_it || last_state_ != "completed") return false;
  auto finished = read_move_plan(finished_plan_path(order_, state_));
  if (!finished) return false;  // none is there, or nobody can tell any more what it was
  plan_ = *std::move(finished);
  if (plan_.order != order_.text() || plan_.after_run == last_run_) return false;
  if (order_.kind != MoveKind::migrate) {
    TRANCHE_ASSIGN(const bool is_same_backup, has_backup_of_plan());
    if (!is_same_backup) return false;
  }
  const auto compared = compare_with(last_run_);
  const bool has_rows = compared && std::any_of(compared->begin(), compared->end(),
                                                [](const auto& table) { return table.rows > 0; });
  if (!has_rows || !are_equal(*compared)) return false;
  if (order_.kind != MoveKind::restore) {
    TRANCHE_ASSIGN(const Json answer, hold_source());
    const bool is_same_state = answer["state"].text() == plan_.held.state;
    // Another backup finds out by itself what is in its way.
    if (!is_same_state && order_.kind == MoveKind::backup) return false;
    if (!is_same_state && !options_.accept_snapshot) {
      return bad_order(fmt::format(
          "{} holds what was read from {} by run {}, but that was written to since. --accept "
          "snapshot leaves it at that; another migration needs an empty database.",
          order_.target_name(), order_.source_name(), last_run_.substr(0, 8)));
    }
  }
  compared_ = *compared;
  return true;
}

// Whether the backup in the folder is the one that the plan has made, or restores.
Result<bool> Move::has_backup_of_plan() const {
  if (!has_manifest(order_.folder)) return false;
  TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(order_.folder));
  if (order_.kind == MoveKind::restore) return manifest.digest == plan_.backup;
  return manifest.order == plan_.order && manifest.state == plan_.held.state &&
         manifest.made_microseconds == plan_.begun_microseconds;
}

// Goes on with what an earlier process has begun. False: it must be begun anew.
Result<bool> Move::go_on() {
  is_resumed_ = true;
  plan_ = *begun_;
  if (plan_.order != order_.text()) {
    return bad_order(
        fmt::format("An unfinished one was begun as \"{}\", and this is \"{}\". Go on with the "
                    "former, or give it up with --fresh.",
                    plan_.order, order_.text()));
  }
  if (order_.kind == MoveKind::restore || is_done_) return true;
  TRANCHE_ASSIGN(const Json answer, hold_source());
  const HeldState now{answer["state"].text(), answer["snapshot"].text()};
  if (now.state != plan_.held.state && has_rows_left_) {
    const bool reads_on = options_.accept_snapshot || order_.on_change == SourceChange::read_on;
    if (!reads_on && order_.on_change == SourceChange::restart) {
      is_resumed_ = false;
      holder_.reset();
      return false;
    }
    if (!reads_on) {
      return bad_order(
          fmt::format("{} was written to since this was begun, and what it held then can't be read "
                      "any more. --accept snapshot goes on: tables that are done stay as they were "
                      "then, the others are read as they are now, from their first row on. --fresh "
                      "begins anew.",
                      order_.source_name()));
    }
    plan_.changes.push_back(fmt::format(
        "the tables are of more than one state of {}: it was written to before a resume",
        order_.source_name()));
    TRANCHE_TRY(empty_tables_in_work());
  }
  plan_.held = now;
  TRANCHE_TRY(write_file_durably(plan_path(), to_json(plan_).dump(1)));
  return true;
}

// So that no table is of two states: what was begun of one is taken out again, first there, then in
// the ledger, and both again after a crash in between. Of files the engine does it by itself.
Result<void> Move::empty_tables_in_work() {
  if (order_.kind == MoveKind::backup) return {};
  const auto emptied = ask_([&]() -> Result<Json> {
    TRANCHE_ASSIGN(const auto ledger, Ledger::open(state_));
    for (const MovedTable& table : plan_.tables) {
      TRANCHE_ASSIGN(const auto known, ledger->load_step(last_run_, table.step));
      if (!known || known->state == "completed") continue;
      // What is sealed, or about to be, was read to its end: it stays as it was then.
      TRANCHE_ASSIGN(const auto totals, ledger->step_totals(last_run_, table.step));
      if (totals.seal != SealState::open) continue;
      TRANCHE_TRY(take_rows_out(order_.target, table.target, last_run_, table.step));
      TRANCHE_ASSIGN(const auto step, ledger->step_ledger(last_run_, table.step));
      TRANCHE_ASSIGN(const auto state, step->load());
      for (const auto& group : state.committed)
        TRANCHE_TRY(step->forget_commit(group.receipt.group));
      TRANCHE_TRY(step->drop_plan_from(0));
    }
    return Json(true);
  });
  return emptied ? Result<void>() : Result<void>(emptied.error());
}

// Takes back what the earlier run has made; the engine forgets it when the new one begins.
Result<void> Move::give_up_earlier() {
  if (order_.kind == MoveKind::backup || begun_->undo.empty()) return {};
  const DatabasePlace target = order_.target;
  const std::vector<std::string> undo = begun_->undo;
  const auto done = ask_([&]() -> Result<Json> {
    TRANCHE_TRY(execute_in(target, undo));
    return Json(true);
  });
  if (!done) return done.error();
  return {};
}

Result<Json> Move::hold_source() {
  const DatabasePlace source = order_.source;
  const auto hold = [&]() -> Result<Holder::Held> {
    TRANCHE_ASSIGN(auto database, open_to_read(source));
    TRANCHE_ASSIGN(const HeldState held, database->hold());
    TRANCHE_ASSIGN(const Catalog catalog, database->catalog());
    Json answer;
    answer.set("state", held.state).set("snapshot", held.snapshot);
    answer.set("catalog", to_json(catalog));
    return Holder::Held{std::move(answer), std::shared_ptr<CatalogDatabase>(std::move(database))};
  };
  TRANCHE_ASSIGN(holder_, owner_ ? Holder::start_here(hold) : Holder::start(hold));
  return holder_->answer();
}

Result<void> Move::read_source() {
  if (order_.kind == MoveKind::restore) {
    TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(order_.folder));
    plan_.backup = manifest.digest;
    plan_.catalog = manifest.catalog;
    plan_.held.state = manifest.state;
    return {};
  }
  TRANCHE_ASSIGN(const Json answer, hold_source());
  plan_.held = {answer["state"].text(), answer["snapshot"].text()};
  TRANCHE_ASSIGN(plan_.catalog, catalog_from_json(answer["catalog"]));
  return {};
}

// A backup goes into a folder of its own, and another one only on top of increments.
Result<void> Move::check_folder() const {
  if (order_.kind != MoveKind::backup) return {};
  if (!has_manifest(order_.folder)) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(order_.folder, none)) {
      const std::string name = entry.path().filename().string();
      if (name == ".tranche" || (name == "tables" && last_state_ != "")) continue;
      return bad_order(
          fmt::format("{} is not empty: it holds {}. A backup needs a folder of its "
                      "own.",
                      order_.folder.string(), name));
    }
    return {};
  }
  TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(order_.folder));
  const bool goes_on = !order_.since.empty() && manifest.order == order_.text();
  if (goes_on) return {};
  if (!order_.since.empty()) {
    return bad_order(
        fmt::format("{} holds a backup that was made as \"{}\"; an increment must be made as that "
                    "was.",
                    order_.folder.string(), manifest.order));
  }
  return bad_order(
      fmt::format("{} holds a backup already, of {}. Choose another folder; with "
                  "--since a backup can be added to.",
                  order_.folder.string(), manifest.source));
}

void Move::choose_tables() {
  const auto leave = [&](const CatalogName& name) { return !is_chosen(name, order_); };
  std::erase_if(plan_.catalog.tables, [&](const CatalogTable& table) { return leave(table.name); });
  // A view of tables that are left out can't be made; what is asked for by name is.
  std::erase_if(plan_.catalog.views, [&](const CatalogView& view) { return leave(view.name); });
  std::erase_if(plan_.catalog.sequences, [&](const CatalogSequence& sequence) {
    if (!sequence.owner.name.empty()) return plan_.catalog.find(sequence.owner) == nullptr;
    const bool is_used = std::any_of(
        plan_.catalog.tables.begin(), plan_.catalog.tables.end(), [&](const CatalogTable& table) {
          return std::any_of(table.columns.begin(), table.columns.end(), [&](const auto& column) {
            return column.sequence == sequence.name.text();
          });
        });
    return !is_used && leave(sequence.name);
  });
}

bool Move::is_since(const CatalogTable& table) const {
  // Without a key a changed row could not be told from one more.
  return !order_.since.empty() && table.find(order_.since) != nullptr &&
         table.primary_key() != nullptr;
}

Result<void> Move::plan_anew() {
  TRANCHE_TRY(check_folder());
  plan_ = MovePlan();
  plan_.kind = order_.kind;
  plan_.job = move_job_name(order_);
  plan_.order = order_.text();
  plan_.after_run = last_run_;
  plan_.owner = owner();
  plan_.begun_microseconds = system_clock().now_microseconds();
  TRANCHE_TRY(read_source());
  choose_tables();
  const std::vector<NotCarried> shapeless = leave_empty_shapes_out(plan_.catalog);
  if (!shapeless.empty() && plan_.catalog.is_empty())
    return bad_order(fmt::format("{} of {} has no columns, and nothing else is there to be moved.",
                                 shapeless.front().what, order_.source_name()));
  if (plan_.catalog.tables.empty() && (order_.has_data || plan_.catalog.is_empty())) {
    return bad_order(order_.tables.empty() && order_.exclude.empty()
                         ? fmt::format("{} has no tables.", order_.source_name())
                         : fmt::format("No table of {} fits what --tables and --exclude say.",
                                       order_.source_name()));
  }
  TRANCHE_TRY(apply_casts(plan_.catalog, order_.casts));
  write_wide_numbers_as_text(plan_.catalog, order_);
  TRANCHE_TRY(write_scripts());
  plan_.not_carried.insert(plan_.not_carried.end(), shapeless.begin(), shapeless.end());
  return {};
}

Result<void> Move::write_scripts() {
  if (order_.kind == MoveKind::backup) {
    std::vector<CatalogName> names;
    for (const CatalogTable& table : plan_.catalog.tables) names.push_back(table.name);
    for (const std::string& what : plan_.catalog.beyond)
      plan_.not_carried.push_back({what, "Tranche has no words for it"});
    plan_.changes = kept_as_literals(plan_.catalog);
    fill_tables({}, names);
    return {};
  }
  const std::string& system = order_.target.system;
  TRANCHE_ASSIGN(const auto names, target_names(plan_.catalog, system));
  std::vector<CatalogName> upserted;
  if (order_.kind == MoveKind::restore) {
    TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(order_.folder));
    for (const BackedUpTable& kept : manifest.tables)
      if (kept.is_incremental) upserted.push_back(kept.name);
  }
  TRANCHE_ASSIGN(const TargetScript script,
                 examine_target(plan_.catalog, order_, names, upserted, ask_));
  plan_.not_carried = script.not_carried;
  plan_.changes = script.changes;
  fill_tables(script, names);
  fill_scripts(script);
  if (order_.kind == MoveKind::restore) return take_files();
  return {};
}

void Move::fill_tables(const TargetScript& script, const std::vector<CatalogName>& names) {
  if (!order_.has_data) return;
  std::set<std::string> taken{"tables", "foreign-keys", "sequences", "views"};
  for (const TargetStatement& statement : script.statements) taken.insert(statement.step);
  for (const std::size_t at : order_by_references(plan_.catalog)) {
    const CatalogTable& table = plan_.catalog.tables[at];
    MovedTable moved;
    moved.source = table.name;
    moved.target = names[at];
    moved.step = step_name(table.name, taken);
    moved.folder = "tables/" + moved.step;
    moved.rows_about = table.rows;
    if (order_.kind != MoveKind::restore) moved.batch_key = batch_key(plan_.catalog, table);
    moved.is_incremental = order_.kind == MoveKind::backup && is_since(table);
    for (const CatalogColumn& column : table.columns) {
      if (script.computes(table.name, column.name)) continue;
      const bool is_literal = goes_as_literals(column, order_);
      moved.columns.push_back(Field{column.name, is_literal ? Type{TypeId::varchar} : column.type});
      if (is_literal) moved.literals.push_back(column.name);
    }
    plan_.tables.push_back(std::move(moved));
  }
}

// Which files of the backup hold the rows of each table.
Result<void> Move::take_files() {
  TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(order_.folder));
  for (MovedTable& moved : plan_.tables) {
    const BackedUpTable* const kept = manifest.find(moved.source);
    if (kept == nullptr) {
      return bad_order(
          fmt::format("The backup in {} has no rows of {}: it was made with "
                      "--schema-only. So restore with --schema-only, too.",
                      order_.folder.string(), moved.source.text()));
    }
    for (const BackedUpFile& file : kept->files) moved.files.push_back(file.name);
    for (const Field& field : kept->columns)
      moved.has_casts =
          moved.has_casts || std::none_of(moved.columns.begin(), moved.columns.end(),
                                          [&](const Field& column) { return column == field; });
    for (const std::string& column : kept->literals)
      if (std::find(moved.literals.begin(), moved.literals.end(), column) == moved.literals.end())
        moved.unquoted.push_back(column);
    moved.has_casts = moved.has_casts || !moved.unquoted.empty();
    moved.rows_about = kept->rows;
    if (!kept->is_incremental) continue;
    const CatalogKey* const key = plan_.catalog.find(moved.source)->primary_key();
    if (key != nullptr) moved.upsert_key = key->columns;
  }
  return {};
}

void Move::fill_scripts(const TargetScript& script) {
  for (const TargetStatement& statement : script.statements) {
    if (!statement.undo.empty()) plan_.undo.insert(plan_.undo.begin(), statement.undo);
    if (statement.sql.empty()) continue;
    auto& scripts = statement.is_behind_rows ? plan_.behind : plan_.before;
    auto found = std::find_if(scripts.begin(), scripts.end(),
                              [&](const MoveScript& one) { return one.step == statement.step; });
    if (found == scripts.end())
      found = scripts.insert(scripts.end(), {statement.step, statement.table, {}});
    found->statements.push_back(statement.sql);
  }
}

Result<RunSummary> Move::run(Observer* observer) {
  TRANCHE_TRY(create_folders(plan_path().parent_path()));
  if (!is_resumed_) TRANCHE_TRY(write_file_durably(plan_path(), to_json(plan_).dump(1)));
  if (!is_done_ && !job_.steps.empty()) {
    return owner_ ? tranche::run(job_, options_, observer)
                  : run_supervised(job_, options_, observer);
  }
  RunSummary summary;
  summary.run = is_done_ ? last_run_ : std::string();
  summary.job = plan_.job;
  summary.state = RunState::completed;
  summary.state_folder = state_.string();
  return summary;
}

Result<std::vector<ComparedTable>> Move::compare_with(const std::string& run) {
  TRANCHE_ASSIGN(const Json answer, ask_([&]() -> Result<Json> {
                   // DuckDB reads no file whose log a crash has left; opened to be written, it
                   // takes that in.
                   if (order_.kind != MoveKind::backup && order_.target.system == "duckdb" &&
                       file_exists(order_.target.url))
                     TRANCHE_TRY(execute_in(order_.target, {}));
                   TRANCHE_ASSIGN(auto expected, expected_tables(plan_, state_, run));
                   if (order_.kind == MoveKind::backup)
                     TRANCHE_TRY(find_files(plan_, order_.folder, expected));
                   TRANCHE_ASSIGN(const auto compared,
                                  compare_tables(plan_, order_, std::move(expected)));
                   Json list{Json::Array{}};
                   for (const ComparedTable& table : compared) list.push(to_json(table));
                   return list;
                 }));
  std::vector<ComparedTable> compared;
  for (const Json& item : answer.items()) compared.push_back(compared_table_from_json(item));
  return compared;
}

Result<std::vector<ComparedTable>> Move::compare(const RunSummary& summary) {
  if (is_done_before_) return compared_;
  TRANCHE_ASSIGN(auto compared, compare_with(summary.run));
  for (ComparedTable& table : compared)
    for (const StepSummary& step : summary.steps)
      if (step.name == table.step) table.seconds = step.seconds;
  if (!are_equal(compared)) return compared;
  if (order_.kind == MoveKind::backup) {
    TRANCHE_TRY(write_manifest(plan_, order_, compared));
  } else if (!summary.run.empty()) {
    const auto forgotten = ask_([&]() -> Result<Json> {
      TRANCHE_TRY(forget_commits(order_.target, summary.run));
      return Json(true);
    });
    if (!forgotten) return forgotten.error();
  }
  // The run of a step may yet die before it knows that this is done.
  if (!owner_) TRANCHE_TRY(rename_durably(plan_path(), finished_plan_path(order_, state_)));
  fault_point("move-done");
  return compared;
}

Result<void> give_up_restore(const MoveOrder& order, const std::filesystem::path& state) {
  const std::filesystem::path path = move_plan_path(order, state);
  if (!file_exists(path)) return {};
  TRANCHE_ASSIGN(const MovePlan plan, read_move_plan(path));
  if (!plan.undo.empty()) TRANCHE_TRY(execute_in(order.target, plan.undo));
  TRANCHE_ASSIGN(const Json last, latest_run(state, plan.job));
  if (const std::string& run = last["run"].text(); !run.empty())
    TRANCHE_TRY(forget_commits(order.target, run));
  return remove_tree(state);
}

}  // namespace tranche
