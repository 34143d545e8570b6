//! Apps in languages that are run as they are written.

use super::{Kind, kind};
use crate::forest::sources::{JULIA, LUA, PERL, PHP, R, RUBY, SHELL};

pub(super) const APPS: &[Kind] = &[
    kind(
        "php",
        "composer",
        PHP,
        r#"
-- composer.json --
{
    "name": "example/@name@",
    "type": "project",
    "require": { "php": ">=8.2" },
    "autoload": { "psr-4": { "Example\\": "src/" } }
}
-- composer.lock --
{
    "content-hash": "0",
    "packages": [],
    "packages-dev": []
}
-- public/index.php --
<?php

require __DIR__ . '/../vendor/autoload.php';

echo '@name@';
"#,
    ),
    kind(
        "php",
        "php",
        PHP,
        r#"
-- index.php --
<?php

echo '@name@';
"#,
    ),
    kind(
        "ruby",
        "bundler",
        RUBY,
        r#"
-- Gemfile --
source "https://gems.example.com"

gem "rackup"
gem "puma"
-- Gemfile.lock --
GEM
  remote: https://gems.example.com/
  specs:
    puma (7.0.4)
    rack (3.2.3)
    rackup (2.2.1)
      rack (>= 3)

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  puma
  rackup

BUNDLED WITH
   2.7.2
-- config.ru --
run ->(_env) { [200, {}, ["@name@"]] }
"#,
    ),
    kind(
        "php",
        "composer",
        PHP,
        r#"
-- composer.json --
{
    "name": "company/@name@",
    "type": "project",
    "require": { "php": "^8.2", "laravel/framework": "^12.0" },
    "autoload": { "psr-4": { "App\\": "app/" } }
}
-- composer.lock --
{ "packages": [{ "name": "laravel/framework", "version": "v12.1.0", "require": { "ext-mbstring": "*" } }], "packages-dev": [] }
-- artisan --
#!/usr/bin/env php
<?php
-- bootstrap/app.php --
<?php

return Illuminate\Foundation\Application::configure(basePath: dirname(__DIR__))->create();
-- public/index.php --
<?php

require __DIR__.'/../vendor/autoload.php';
-- package.json --
{ "private": true, "type": "module", "scripts": { "build": "vite build", "dev": "vite" }, "devDependencies": { "vite": "^7.0.0", "laravel-vite-plugin": "^2.0.0" } }
-- package-lock.json --
{ "lockfileVersion": 3, "packages": {} }
-- vite.config.js --
import { defineConfig } from 'vite';
import laravel from 'laravel-vite-plugin';

export default defineConfig({ plugins: [laravel(['resources/js/app.js'])] });
-- resources/js/app.js --
console.log('@name@');
"#,
    ),
    kind(
        "ruby",
        "bundler",
        RUBY,
        r#"
-- Gemfile --
source "https://gems.example.com"

gem "rails", "~> 8.0"
gem "puma", ">= 6"
gem "propshaft"
gem "jsbundling-rails"
-- Gemfile.lock --
GEM
  remote: https://gems.example.com/
  specs:
    jsbundling-rails (1.3.1)
    propshaft (1.3.1)
    puma (7.0.4)
    rails (8.0.3)

PLATFORMS
  x86_64-linux

DEPENDENCIES
  jsbundling-rails
  propshaft
  puma (>= 6)
  rails (~> 8.0)

BUNDLED WITH
   2.7.2
-- config.ru --
require_relative "config/environment"

run Rails.application
-- config/application.rb --
require "rails"

module @Name@
  class Application < Rails::Application
  end
end
-- config/environment.rb --
require_relative "application"

Rails.application.initialize!
-- config/puma.rb --
port ENV.fetch("PORT", 3000)
-- bin/rails --
#!/usr/bin/env ruby
require "rails/commands"
-- package.json --
{ "name": "@name@", "private": true, "scripts": { "build": "esbuild app/javascript/*.* --bundle --outdir=app/assets/builds" }, "devDependencies": { "esbuild": "^0.25.0" } }
-- yarn.lock --
# yarn lockfile v1
-- app/javascript/application.js --
console.log("@name@");
"#,
    ),
    kind(
        "perl",
        "cpanm",
        PERL,
        r#"
-- cpanfile --
requires 'perl', '5.36.0';
requires 'Mojolicious', '>= 9.0';
-- app.pl --
use Mojolicious::Lite -signatures;

get '/' => sub ($c) { $c->render(text => '@name@') };

app->start;
"#,
    ),
    kind(
        "lua",
        "luarocks",
        LUA,
        r#"
-- @name@-1.0-1.rockspec --
package = "@name@"
version = "1.0-1"
dependencies = {
  "lua >= 5.4",
  "luasocket >= 3.0",
}
-- main.lua --
-- local old = socket.bind("*", 1)
local socket = require("socket")
local server = assert(socket.bind("*", 8050))
while true do
  local client = server:accept()
  client:close()
end
"#,
    ),
    kind(
        "r",
        "r",
        R,
        r#"
-- app.R --
library(shiny)
# library(old)
shinyApp(ui = fluidPage("@name@"), server = function(input, output) {})
"#,
    ),
    kind(
        "julia",
        "pkg",
        JULIA,
        r#"
-- Project.toml --
name = "@Name@"
uuid = "5b1f3d51-9c0b-4e64-8f6e-1b8c6ad1f0a1"

[deps]
Oxygen = "df9a0d86-3283-4920-82dc-4555fc0d1d8b"
-- main.jl --
using Oxygen

@get "/" () -> "@name@"
serve(host="0.0.0.0", port=8044)
"#,
    ),
    kind(
        "shell",
        "shell",
        SHELL,
        r#"
-- start.sh --
#!/usr/bin/env bash
set -euo pipefail
# docker run @name@
while true; do
  echo @name@
  sleep 5
done
"#,
    ),
];
