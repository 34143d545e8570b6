//! Static sites, and the generators of such.

use super::{Kind, kind};
use crate::forest::sources::{MARKDOWN, STYLES};

pub(super) const APPS: &[Kind] = &[
    kind(
        "static",
        "none",
        STYLES,
        r#"
-- index.html --
<!doctype html>
<html lang="en">
  <title>@name@</title>
</html>
"#,
    ),
    Kind {
        below: Some("pages"),
        ..kind(
            "static",
            "none",
            STYLES,
            r#"
-- Staticfile --
root: pages
-- pages/index.html --
<!doctype html>
<title>@name@</title>
"#,
        )
    },
    kind(
        "static",
        "hugo",
        MARKDOWN,
        r#"
-- hugo.toml --
baseURL = "https://example.com/"
title = "@name@"
-- content/_index.md --
# @name@
-- layouts/index.html --
<!doctype html>
<title>{{ .Title }}</title>
"#,
    ),
    kind(
        "static",
        "zola",
        MARKDOWN,
        r#"
-- config.toml --
base_url = "https://example.com"
title = "@name@"
-- content/_index.md --
+++
title = "@name@"
+++
-- templates/index.html --
<!doctype html>
<p>{{ section.content | safe }}</p>
"#,
    ),
    kind(
        "static",
        "mdbook",
        MARKDOWN,
        r#"
-- book.toml --
[book]
title = "@name@"
src = "text"
-- text/SUMMARY.md --
- [First](first.md)
-- text/first.md --
# First
"#,
    ),
    kind(
        "static",
        "mkdocs",
        MARKDOWN,
        r#"
-- mkdocs.yml --
site_name: "@name@"
theme: readthedocs
-- docs/index.md --
# @name@
"#,
    ),
    kind(
        "static",
        "jekyll",
        MARKDOWN,
        r#"
-- _config.yml --
title: "@name@"
-- Gemfile --
source "https://gems.example.com"

gem "jekyll", "~> 4.3"
-- index.html --
---
---
<p>@name@</p>
"#,
    ),
    kind(
        "static",
        "sphinx",
        MARKDOWN,
        r#"
-- requirements.txt --
sphinx==8.1.3
-- Makefile --
html:
	sphinx-build source build
-- source/conf.py --
project = "@name@"
extensions = ["sphinx.ext.autodoc"]
-- source/index.rst --
@name@
======
"#,
    ),
];
