//! Crystal: the targets of `shard.yml`.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Provider, Scan, quoted};
use crate::detect::source::Family;

use super::packaged::{self, Calls};

pub(crate) struct Crystal;

const LANGUAGE: Language = Language {
    name: "Crystal",
    build_systems: &["shards"],
    frameworks: &["kemal", "lucky"],
    manifests: &["shard.yml"],
};

const LOOKS_LIKE: &str = "a Crystal shard";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("Kemal.run", Some("kemal")),
        ("Lucky::", Some("lucky")),
        ("HTTP::Server.new", None),
        ("TCPServer.new", None),
    ],
    ports: &["Kemal.run", "bind_tcp", "TCPServer.new"],
    defaults: &[("kemal", 3000)],
};

impl Provider for Crystal {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &["shard.yml"], LOOKS_LIKE) {
            let manifest = dir.join("shard.yml");
            let Some(document) = scan.document(&manifest, Syntax::Yaml) else {
                continue;
            };
            let targets = document.keys(&["targets"]);
            if targets.is_empty() {
                let reason = "`shard.yml` has no `targets`: it is a library";
                scan.reject(dir.path(), LOOKS_LIKE, reason);
            }
            for name in packaged::bounded(scan, &manifest, targets) {
                let facts = packaged::facts(scan, dir.path(), &["cr"], Family::Ruby, &CALLS);
                let mut draft = Draft::new(dir.path(), facts.kind(), "crystal", "shards");
                draft.target = Some(name.to_owned());
                let found = Evidence::new("entry", name, "crystal.target");
                let line = document.line(&["targets", name]);
                draft.evidence.push(found.at(&manifest, line));
                facts.tell(
                    &mut draft,
                    &CALLS,
                    &format!("`{name}` is a target of `shard.yml`"),
                );
                let tools = ["crystal", "shards"];
                let problem = packaged::toolchain(scan, &mut draft, &manifest, "Crystal", &tools);
                let word = quoted(name);
                draft.spec.build.commands = vec![format!(
                    "shards build {word} --release --production --no-debug"
                )];
                let runtime = ["ca-certificates-bundle", "glibc", "libgcc"];
                packaged::program(scan, &mut draft, &format!("bin/{name}"), name, &runtime);
                packaged::finish(scan, draft, problem);
            }
        }
    }
}
