#include "report/html_text.h"

#include <gtest/gtest.h>

namespace tranche::reporting {
namespace {

TEST(Html, MeansNothingButTheText) {
  EXPECT_EQ(html("<b> & \"it's\""), "&lt;b&gt; &amp; &quot;it&#39;s&quot;");
}

TEST(Html, ShowsWhatCannotBeShown) {
  EXPECT_EQ(html(std::string_view("a\0b\x7f", 4)), "a\u2400b\u2421");
  EXPECT_EQ(html("a\xff"
                 "b"),
            "a\ufffd"
            "b");
}

TEST(JsonForScript, EndsNoElement) {
  EXPECT_EQ(json_for_script("[\"</script><!--\"]"), "[\"\\u003c/script>\\u003c!--\"]");
}

TEST(Paragraphs, LieBetweenEmptyLines) {
  EXPECT_EQ(paragraphs_html("one\ntwo\n\n\nthree"), "<p>one two</p>\n<p>three</p>\n");
  EXPECT_EQ(paragraphs_html(""), "");
}

TEST(Paragraphs, MayBeLists) {
  EXPECT_EQ(paragraphs_html("these:\n- one\n  and more\n- two\n\nend"),
            "<p>these:</p>\n<ul>\n<li>one and more</li>\n<li>two</li>\n</ul>\n<p>end</p>\n");
}

TEST(Paragraphs, KnowFourMarks) {
  EXPECT_EQ(paragraphs_html("**a *b*** `<c>` [d](https://e.org?f=1&g)"),
            "<p><strong>a *b</strong>* <code>&lt;c&gt;</code> <a "
            "href=\"https://e.org?f=1&amp;g\" rel=\"noreferrer\">d</a></p>\n");
  EXPECT_EQ(paragraphs_html("*soft* words"), "<p><em>soft</em> words</p>\n");
}

TEST(Paragraphs, LeaveWhatIsNoMark) {
  for (const char* text :
       {"2 * 3 * 4", "a ** b", "`", "[a](b", "[a] (https://b)", "snake_case_name"})
    EXPECT_EQ(paragraphs_html(text), "<p>" + std::string(text) + "</p>\n");
}

TEST(Paragraphs, LinkToNothingButPages) {
  EXPECT_EQ(paragraphs_html("[a](javascript:alert(1))"), "<p>[a](javascript:alert(1))</p>\n");
  EXPECT_EQ(paragraphs_html("[a](https://b\"onclick=c)"),
            "<p><a href=\"https://b&quot;onclick=c\" rel=\"noreferrer\">a</a></p>\n");
}

}  // namespace
}  // namespace tranche::reporting
