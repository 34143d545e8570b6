//! Programs that scripts call: servers, development servers, build tools.

/// What is known of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It serves, at this path of this package.
    Bin(&'static str, &'static str),
    Development,
    /// It starts other members.
    Delegates,
    Unknown,
}

/// Programs of packages that serve or prepare a database, with the path that the package's `bin` field names.
const BINS: &[(&str, &str, &str)] = &[
    ("drizzle-kit", "drizzle-kit", "bin.cjs"),
    ("fastify", "fastify-cli", "cli.js"),
    ("knex", "knex", "bin/cli.js"),
    ("next", "next", "dist/bin/next"),
    ("prisma", "prisma", "build/index.js"),
    ("probot", "probot", "bin/probot.js"),
    ("react-router-serve", "@react-router/serve", "bin.cjs"),
    ("remix-serve", "@remix-run/serve", "dist/cli.js"),
    ("sequelize", "sequelize-cli", "lib/sequelize"),
    ("sequelize-cli", "sequelize-cli", "lib/sequelize"),
    ("srvx", "srvx", "bin/srvx.mjs"),
    ("ts-node", "ts-node", "dist/bin.js"),
    ("tsx", "tsx", "dist/cli.mjs"),
    ("typeorm", "typeorm", "cli.js"),
];

/// Programs, and the argument that makes them a development server; `*` stands for any.
const DEVELOPMENT: &[(&str, &str)] = &[
    ("astro", "*"),
    ("docusaurus", "*"),
    ("eleventy", "*"),
    ("expo", "*"),
    ("gatsby", "*"),
    ("http-server", "-dev"),
    ("live-server", "*"),
    ("nest", "start"),
    ("next", "dev"),
    ("ng", "*"),
    ("nodemon", "*"),
    ("nuxi", "*"),
    ("nuxt", "*"),
    ("parcel", "*"),
    ("react-native", "*"),
    ("react-router", "*"),
    ("react-scripts", "*"),
    ("remix", "*"),
    ("rollup", "*"),
    ("rsbuild", "*"),
    ("start-storybook", "*"),
    ("storybook", "*"),
    ("strapi", "develop"),
    ("svelte-kit", "*"),
    ("ts-node-dev", "*"),
    ("tsc", "*"),
    ("tsc-watch", "*"),
    ("tsnd", "*"),
    ("tsup", "*"),
    ("tsx", "watch"),
    ("vinxi", "dev"),
    ("vite", "*"),
    ("vitepress", "*"),
    ("vue-cli-service", "*"),
    ("webpack", "*"),
    ("webpack-dev-server", "*"),
    ("wrangler", "*"),
];

/// Orchestrators: what they start are other members, or development servers.
const DELEGATES: &[&str] = &["lerna", "moon", "rush", "rushx", "turbo", "wireit"];

/// What is known of a program that is called with these arguments.
pub(super) fn known(name: &str, arguments: &[String]) -> Known {
    let first = arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .map(String::as_str)
        .unwrap_or_default();
    if DELEGATES.contains(&name) {
        return Known::Delegates;
    }
    if name == "nx" {
        return if matches!(first, "serve" | "dev" | "start") {
            Known::Development
        } else {
            Known::Delegates
        };
    }
    let is_development = DEVELOPMENT.iter().any(|(tool, verb)| {
        *tool == name
            && (*verb == "*" || *verb == first || arguments.iter().any(|word| word == verb))
    });
    let watches = arguments
        .iter()
        .any(|word| matches!(word.as_str(), "--watch" | "--hot" | "--live-reload"));
    if is_development || watches {
        return Known::Development;
    }
    // Without a word `next` develops.
    if name == "next" && first != "start" {
        return Known::Development;
    }
    match BINS.iter().find(|(bin, _, _)| *bin == name) {
        Some((_, package, path)) => Known::Bin(package, path),
        None => Known::Unknown,
    }
}

/// Whether the program of a package serves, and does not only run a file or prepare a database.
pub(super) fn serves(package: &str) -> bool {
    matches!(
        package,
        "@react-router/serve" | "@remix-run/serve" | "fastify-cli" | "next" | "probot" | "srvx"
    )
}

/// Whether a program reads `PORT` from its environment.
pub(super) fn reads_port(name: &str) -> bool {
    matches!(
        name,
        "next" | "serve" | "react-router-serve" | "remix-serve" | "srvx" | "fastify"
    )
}

/// The words of a command without what only finds the program.
pub(super) fn without_runner<'w, 'a>(words: &'w [&'a str]) -> &'w [&'a str] {
    match words {
        ["npx" | "bunx" | "pnpx", rest @ ..] => rest,
        ["npm", "exec", "--", rest @ ..] => rest,
        ["pnpm" | "npm" | "yarn", "exec" | "dlx", rest @ ..] => rest,
        ["yarn" | "pnpm", rest @ ..] => rest,
        words => words,
    }
}

/// Whether a command only builds, which the build has done already.
pub(super) fn builds(words: &[&str]) -> bool {
    matches!(
        words,
        [
            "next"
                | "vite"
                | "astro"
                | "nuxt"
                | "remix"
                | "nest"
                | "ng"
                | "react-router"
                | "gatsby"
                | "vue-cli-service"
                | "react-scripts"
                | "docusaurus"
                | "vitepress",
            "build",
            ..,
        ] | [
            "tsc"
                | "tsup"
                | "esbuild"
                | "swc"
                | "webpack"
                | "rollup"
                | "rimraf"
                | "tsc-alias"
                | "husky"
                | "patch-package",
            ..,
        ] | ["prisma", "generate", ..]
    )
}

/// Whether a command changes a database: it is no part of the start.
pub(super) fn migrates(words: &[&str]) -> bool {
    match words {
        ["prisma", "migrate" | "db", ..] | ["drizzle-kit", "migrate" | "push", ..] => true,
        ["knex" | "typeorm" | "sequelize" | "sequelize-cli", verb, ..] => {
            verb.contains("migrat") || verb.contains("seed")
        }
        ["node" | "tsx" | "bun", file, ..] => {
            let name = crate::detect::repo::split(file).1;
            name.starts_with("migrate.")
                || name.starts_with("migrations.")
                || name.starts_with("seed.")
        }
        _ => false,
    }
}
