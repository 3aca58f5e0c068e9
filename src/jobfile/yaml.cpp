#include "jobfile/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

// What the library says, and what a person needs to hear.
struct Saying {
  std::string_view theirs;
  std::string_view ours;
};
constexpr std::array sayings{
    Saying{"illegal tab when looking for indentation",
           "The indentation holds a tab; YAML takes spaces only"},
    Saying{"end of map flow not found", "A { is not closed before this; end it with }"},
    Saying{"end of sequence flow not found", "A [ is not closed before this; end it with ]"},
    Saying{"end of map not found",
           "The indentation breaks here; a key was expected that stands in the same column as the "
           "keys above it"},
    Saying{"end of sequence not found",
           "The indentation breaks here; a list item was expected, beginning with \"- \" in the "
           "same column as the items above it"},
    Saying{"illegal map value",
           "A \":\" can't stand here; put a text that holds \": \" in quotes, and check the "
           "indentation"},
    Saying{"illegal map key", "A key can't stand here; check the indentation"},
    Saying{"illegal block entry",
           "A list item can't stand here; put it on a line of its own, indented below its key"},
    Saying{"illegal EOF in scalar", "A quote is not closed"},
    Saying{"illegal document indicator in scalar", "A quote is not closed before \"---\""},
    Saying{"illegal flow end", "A ] or } closes nothing; remove it, or put the text in quotes"},
    Saying{"the referenced anchor is not defined",
           "This alias names an anchor that is not defined above it"},
    Saying{"unknown escape character",
           "A backslash in double quotes begins an escape that YAML does not know; write \\\\, or "
           "use single quotes"},
    Saying{"unknown token", "This character can't begin a value; put the text in quotes"},
    Saying{"unexpected character in block scalar",
           "Behind | or > only a comment may follow; the text begins on the next line"},
};

// A column that counts bytes from 0, as one that counts characters from 1.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') starts_.push_back(i + 1);
  }
  Mark mark(int line, int column) const {
    const std::string_view all = at(line);
    const auto bytes = std::min(all.size(), static_cast<std::size_t>(std::max(column, 0)));
    int characters = 0;
    for (const char c : all.substr(0, bytes)) characters += (c & 0xC0) != 0x80 ? 1 : 0;
    return Mark{std::max(line, 0) + 1, characters + 1};
  }
  Mark mark_of_byte(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const auto line = static_cast<int>(next - starts_.begin()) - 1;
    return mark(line, static_cast<int>(offset - *std::prev(next)));
  }
  // From line `line` (from 0), byte `column`, to the end of the line.
  std::string_view rest(int line, int column) const {
    const std::string_view all = at(line);
    return all.substr(std::min(all.size(), static_cast<std::size_t>(std::max(column, 0))));
  }
  // Everything from there to the end of the text.
  std::string_view all_from(int line, int column) const {
    const std::string_view first = rest(line, column);
    return text_.substr(static_cast<std::size_t>(first.data() - text_.data()));
  }

 private:
  std::string_view at(int line) const {
    const auto index = static_cast<std::size_t>(std::max(line, 0));
    if (index >= starts_.size()) return text_.substr(text_.size());
    const std::size_t end = index + 1 < starts_.size() ? starts_[index + 1] - 1 : text_.size();
    return text_.substr(starts_[index], end - starts_[index]);
  }
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

struct Extent {
  std::size_t nodes = 1;
  std::size_t depth = 1;
};
Extent extent(const Node& node) {
  Extent all;
  const auto add = [&all](const Node& child) {
    const Extent inner = extent(child);
    all.nodes += inner.nodes;
    all.depth = std::max(all.depth, inner.depth + 1);
  };
  for (const Node& item : node.items) add(item);
  for (const Node::Entry& entry : node.entries) add(entry.value);
  return all;
}

// The library takes the end of the file for the end of a quoted text. True for other texts.
bool is_closed(std::string_view text) {
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return true;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[0] == '"' && text[i] == '\\')
      ++i;
    else if (text[i] == text[0] && text[0] == '\'' && text.substr(i + 1).starts_with('\''))
      ++i;
    else if (text[i] == text[0])
      return true;
  }
  return false;
}

// Builds a Node from the library's events: they carry every mark, and doubled keys arrive as such.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Lines& lines, Problems& problems) : lines_(lines), problems_(problems) {}

  std::optional<Node> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    // A missing value carries the mark of what follows it; only a written null has its own.
    const std::string_view rest = lines_.rest(mark.line, mark.column);
    Node node;
    node.mark = place(mark);
    for (const std::string_view spelling : {"null", "Null", "NULL", "~"})
      if (rest.starts_with(spelling)) node.text = spelling;
    if (node.text.empty() && !open_.empty() && open_.back().has_key)
      node.mark = open_.back().key_mark;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      problem(mark, "This alias stands inside the value that it names; a value can't hold itself");
      return add(Node{}, 0);
    }
    const Extent size = found->second.size;
    if (nodes_ + size.nodes > yaml_nodes_max || open_.size() + size.depth > yaml_depth_max) {
      problem(mark, fmt::format("The aliases unfold to more than {} values or {} levels",
                                format_count(yaml_nodes_max), yaml_depth_max));
      return add(Node{}, 0);
    }
    nodes_ += size.nodes;
    add(found->second.node, 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = Node::scalar(value, place(mark));
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    refuse_tag(mark, tag);
    if (node.quoted && !is_closed(lines_.all_from(mark.line, mark.column)))
      problem(mark, "A quote is not closed; the text goes on to the end of the file");
    if (value.find('\0') != std::string::npos) problem(mark, "A text can't hold the character NUL");
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(Node::list({}, place(mark)), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(Node::map({}, place(mark)), anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Mark key_mark;
  };
  struct Anchored {
    Node node;
    Extent size;
  };

  Mark place(const YAML::Mark& mark) const { return lines_.mark(mark.line, mark.column); }
  void problem(const YAML::Mark& mark, std::string message) {
    problems_.push_back({place(mark), std::move(message)});
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    problem(mark, fmt::format("The tag {} is not known here; remove it", excerpt(tag, 40)));
  }
  void open(Node node, YAML::anchor_t anchor) {
    if (open_.size() == yaml_depth_max)
      problems_.push_back(
          {node.mark, fmt::format("Values are nested more than {} levels deep", yaml_depth_max)});
    open_.push_back(Open{std::move(node), anchor, false, {}, {}});
  }
  void close() {
    Open last = std::move(open_.back());
    open_.pop_back();
    if (last.node.kind == Node::Kind::map) merge(last.node);
    add(std::move(last.node), last.anchor);
  }
  // `<<: *defaults`: keys of the merged map that the map itself does not have.
  void merge(Node& map) {
    const auto merged = std::find_if(map.entries.begin(), map.entries.end(),
                                     [](const Node::Entry& entry) { return entry.key == "<<"; });
    if (merged == map.entries.end()) return;
    const Node from = std::move(merged->value);
    map.entries.erase(merged);
    if (from.kind != Node::Kind::map)
      problems_.push_back({from.mark, "Behind << a map was expected, as in \"<<: *defaults\""});
    for (const Node::Entry& entry : from.entries)
      if (map.find(entry.key) == nullptr) map.entries.push_back(entry);
  }
  void add(Node node, YAML::anchor_t anchor) {
    ++nodes_;
    if (nodes_ > yaml_nodes_max && !too_many_) {
      too_many_ = true;
      problems_.push_back({node.mark, fmt::format("The job file holds more than {} values",
                                                  format_count(yaml_nodes_max))});
    }
    if (anchor != 0 && open_.size() < yaml_depth_max)
      anchors_.insert_or_assign(anchor, Anchored{node, extent(node)});
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::list) {
      if (open_.size() <= yaml_depth_max) parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node.kind == Node::Kind::list || node.kind == Node::Kind::map)
        problems_.push_back({node.mark, "A key must be a plain text"});
      parent.has_key = true;
      parent.key = std::move(node.text);
      parent.key_mark = node.mark;
    } else {
      parent.has_key = false;
      if (open_.size() <= yaml_depth_max)
        parent.node.entries.push_back({parent.key, std::move(node), parent.key_mark});
    }
  }

  const Lines& lines_;
  Problems& problems_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
  bool too_many_ = false;
};

// `line` is where it broke: in { } or [ ] a brace of ${name} ends the text that holds it.
std::string say(const std::string& theirs, std::string_view line) {
  if (theirs.find("flow") != std::string::npos && line.find("${") != std::string_view::npos)
    return "Inside { } or [ ] a text with ${...} needs quotes, as in { csv: \"${day}.csv\" }";
  for (const Saying& saying : sayings)
    if (theirs.find(saying.theirs) != std::string::npos) return std::string(saying.ours);
  return fmt::format("This is not YAML ({}); check indentation and quotes", excerpt(theirs));
}

// A tab in an indentation upsets the library in several ways; the tab is what the person must see.
std::optional<Mark> tab_above(const Lines& lines, int line) {
  for (const int candidate : {line, line - 1}) {
    if (candidate < 0) continue;
    const std::string_view text = lines.rest(candidate, 0);
    const std::size_t first = text.find_first_not_of(' ');
    if (first != std::string_view::npos && text[first] == '\t')
      return lines.mark(candidate, static_cast<int>(first));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, Problems& problems) {
  const std::size_t before = problems.size();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const Lines lines(text);
  if (text.size() > yaml_bytes_max) {
    problems.push_back(
        {{}, fmt::format("The job file is larger than {}", format_size(yaml_bytes_max))});
    return std::nullopt;
  }
  std::optional<std::size_t> bad = find_invalid_utf8(text);
  if (!bad && text.find('\0') != std::string_view::npos) bad = text.find('\0');
  if (bad) {
    problems.push_back({lines.mark_of_byte(*bad),
                        fmt::format("Byte {} is not UTF-8 text; save the file as UTF-8", *bad)});
    return std::nullopt;
  }
  std::optional<Node> root;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(lines, problems);
    if (parser.HandleNextDocument(builder)) root = builder.take();
    Problems ignored;
    Builder second(lines, ignored);
    if (root && parser.HandleNextDocument(second)) {
      const std::optional<Node> rest = second.take();
      problems.push_back(
          {rest ? rest->mark : Mark{}, "A second document begins here; a job file holds one"});
    }
  } catch (const YAML::Exception& error) {
    const std::optional<Mark> tab = tab_above(lines, error.mark.line);
    problems.push_back(
        {tab ? *tab : lines.mark(error.mark.line, error.mark.column),
         tab ? std::string(sayings[0].ours) : say(error.msg, lines.rest(error.mark.line, 0))});
  } catch (const std::exception& error) {
    problems.push_back({{}, fmt::format("The YAML can't be read: {}", excerpt(error.what()))});
  }
  if (problems.size() > before) return std::nullopt;
  if (!root || root->is_null()) {
    problems.push_back({{1, 1}, "The job file is empty; it needs \"job:\" and \"steps:\""});
    return std::nullopt;
  }
  return root;
}

}  // namespace tranche
