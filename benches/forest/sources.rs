//! The files that a kind has many of, beside those that make it what it is.

/// Such a file; `@part@` and `@unit@` are numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

pub(super) const JAVASCRIPT: Source = Source {
    path: "src/part-@part@/unit-@unit@.js",
    text: "import { part } from './unit-00.js';\n\n// Port 9@unit@ is nobody's.\nexport function unit@unit@(value) {\n  return part(value, '@name@');\n}\n",
};
pub(super) const TYPESCRIPT: Source = Source {
    path: "src/part-@part@/unit-@unit@.ts",
    text: "import type { Part } from './types';\n\nexport const unit@unit@ = (part: Part): string => `${part.name} of @name@`;\n",
};
pub(super) const PYTHON: Source = Source {
    path: "@name_@/part_@part@/unit_@unit@.py",
    text: "import json\n\n\ndef unit_@unit@(value):\n    \"\"\"Not an `app = Flask(__name__)`.\"\"\"\n    return json.dumps({\"@name@\": value})\n",
};
pub(super) const GO: Source = Source {
    path: "internal/part@part@/unit@unit@.go",
    text: "package part@part@\n\nimport \"strings\"\n\n// Unit@unit@ is no func main() {}.\nfunc Unit@unit@(text string) string {\n\treturn strings.ToUpper(text)\n}\n",
};
pub(super) const RUST: Source = Source {
    path: "src/part_@part@/unit_@unit@.rs",
    text: "//! fn main() {} is elsewhere.\n\npub fn unit_@unit@(value: &str) -> String {\n    value.to_uppercase()\n}\n",
};
pub(super) const JAVA: Source = Source {
    path: "src/main/java/example/part@part@/Unit@unit@.java",
    text: "package example.part@part@;\n\nfinal class Unit@unit@ {\n    String text(String value) {\n        return value.trim();\n    }\n}\n",
};
pub(super) const KOTLIN: Source = Source {
    path: "src/main/kotlin/example/part@part@/Unit@unit@.kt",
    text: "package example.part@part@\n\ninternal fun unit@unit@(value: String) = value.trim()\n",
};
pub(super) const SCALA: Source = Source {
    path: "src/main/scala/example/part@part@/Unit@unit@.scala",
    text: "package example.part@part@\n\nfinal case class Unit@unit@(value: String)\n",
};
pub(super) const CLOJURE: Source = Source {
    path: "src/@name_@/part@part@/unit@unit@.clj",
    text: "(ns @name@.part@part@.unit@unit@)\n\n(defn unit [value] (str value))\n",
};
pub(super) const CSHARP: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.cs",
    text: "namespace Example.Part@part@;\n\npublic sealed record Unit@unit@(string Value);\n",
};
pub(super) const FSHARP: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.fs",
    text: "module Example.Part@part@.Unit@unit@\n\nlet unit value = value + 1\n",
};
pub(super) const VISUAL_BASIC: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.vb",
    text: "Public Class Unit@unit@\n    Public Property Value As String\nEnd Class\n",
};
pub(super) const PHP: Source = Source {
    path: "src/Part@part@/Unit@unit@.php",
    text: "<?php\n\nnamespace Example\\Part@part@;\n\nfinal class Unit@unit@\n{\n}\n",
};
pub(super) const RUBY: Source = Source {
    path: "lib/@name_@/part_@part@/unit_@unit@.rb",
    text: "# frozen_string_literal: true\n\nmodule Part@part@\n  Unit@unit@ = Struct.new(:value)\nend\n",
};
pub(super) const ELIXIR: Source = Source {
    path: "lib/@name_@/part_@part@/unit_@unit@.ex",
    text: "defmodule Part@part@.Unit@unit@ do\n  def unit(value), do: value\nend\n",
};
pub(super) const ERLANG: Source = Source {
    path: "src/part_@part@/unit_@part@_@unit@.erl",
    text: "-module(unit_@part@_@unit@).\n-export([unit/1]).\n\nunit(Value) -> Value.\n",
};
pub(super) const GLEAM: Source = Source {
    path: "src/part_@part@/unit_@unit@.gleam",
    text: "pub fn unit(value) {\n  value\n}\n",
};
pub(super) const STYLES: Source = Source {
    path: "assets/part-@part@/unit-@unit@.css",
    text: ".unit-@unit@ {\n  color: rebeccapurple;\n}\n",
};
pub(super) const MARKDOWN: Source = Source {
    path: "notes/part-@part@/unit-@unit@.md",
    text: "# Unit @unit@ of @name@\n\nRun `npm start` in `part-@part@`.\n",
};
pub(super) const C: Source = Source {
    path: "sources/part@part@/unit@unit@.c",
    text: "/* int main(void) is elsewhere. */\nint unit@part@_@unit@(int value) {\n    return value + @unit@;\n}\n",
};
pub(super) const CPP: Source = Source {
    path: "sources/part@part@/unit@unit@.cpp",
    text: "// int main() is elsewhere.\nint unit@part@_@unit@(int value) { return value; }\n",
};
pub(super) const ZIG: Source = Source {
    path: "src/part_@part@/unit_@unit@.zig",
    text: "// pub fn main() is elsewhere.\npub fn unit(value: u32) u32 {\n    return value;\n}\n",
};
pub(super) const SWIFT: Source = Source {
    path: "Sources/Parts/Part@part@/Unit@unit@.swift",
    text: "struct Part@part@Unit@unit@ {\n    let value: Int\n}\n",
};
pub(super) const HASKELL: Source = Source {
    path: "src/Part@part@/Unit@unit@.hs",
    text: "module Part@part@.Unit@unit@ where\n\nunit :: Int -> Int\nunit value = value\n",
};
pub(super) const CRYSTAL: Source = Source {
    path: "src/part_@part@/unit_@unit@.cr",
    text: "module Part@part@\n  UNIT_@unit@ = \"@name@\"\nend\n",
};
pub(super) const NIM: Source = Source {
    path: "parts/part@part@/unit@unit@.nim",
    text: "proc unit*(value: int): int = value\n",
};
pub(super) const OCAML: Source = Source {
    path: "lib/part_@part@/unit_@unit@.ml",
    text: "let unit value = value + 1\n",
};
pub(super) const DART: Source = Source {
    path: "lib/src/part_@part@/unit_@unit@.dart",
    text: "int unit@unit@(int value) => value;\n",
};
pub(super) const PERL: Source = Source {
    path: "lib/Part@part@/Unit@unit@.pm",
    text: "package Part@part@::Unit@unit@;\n\n# app->start;\n1;\n",
};
pub(super) const LUA: Source = Source {
    path: "parts/part@part@/unit@unit@.lua",
    text: "return { value = \"@name@\" }\n",
};
pub(super) const R: Source = Source {
    path: "R/part@part@_unit@unit@.R",
    text: "unit_@part@_@unit@ <- function(value) value\n",
};
pub(super) const JULIA: Source = Source {
    path: "src/parts/part@part@_unit@unit@.jl",
    text: "unit(value) = value\n",
};
pub(super) const SHELL: Source = Source {
    path: "parts/part-@part@/unit-@unit@.sh",
    text: "# shellcheck shell=bash\nunit() { echo \"$1\"; }\n",
};
