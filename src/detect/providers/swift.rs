//! Swift: the executable targets of a package.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Provider, Scan, quoted};
use crate::detect::source::{Family, Source};

use super::packaged::{self, Calls, PROGRAMS};

pub(crate) struct Swift;

const LANGUAGE: Language = Language {
    name: "Swift",
    build_systems: &["swiftpm"],
    frameworks: &["hummingbird", "vapor"],
    manifests: &["Package.swift"],
};

const LOOKS_LIKE: &str = "a Swift package";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("import Vapor", Some("vapor")),
        ("import Hummingbird", Some("hummingbird")),
        ("ServerBootstrap(", None),
    ],
    ports: &[".port =", "port:"],
    defaults: &[("hummingbird", 8080), ("vapor", 8080)],
};

impl Provider for Swift {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &["Package.swift"], LOOKS_LIKE) {
            let Ok(text) = dir.text("Package.swift") else {
                scan.reject(dir.path(), LOOKS_LIKE, "`Package.swift` cannot be read");
                continue;
            };
            let source = Source::parse(&text, Family::Swift);
            let targets: Vec<(u64, String)> = source
                .all("executableTarget(")
                .take(PROGRAMS * 2)
                .filter_map(|at| {
                    let name = at + source.code.get(at..)?.find("name:")? + "name:".len();
                    Some((source.line(name), source.string_at(name)?.to_owned()))
                })
                .collect();
            if targets.is_empty() {
                let reason = "it has no `executableTarget`: it is a library";
                scan.reject(dir.path(), LOOKS_LIKE, reason);
            }
            for (line, name) in packaged::bounded(scan, &dir.join("Package.swift"), targets) {
                let manifest = dir.join("Package.swift");
                let sources = dir.join(&format!("Sources/{name}"));
                let place = if scan.repo.dir(&sources).is_some() {
                    sources
                } else {
                    dir.path().to_owned()
                };
                let facts = packaged::facts(scan, &place, &["swift"], Family::Swift, &CALLS);
                let mut draft = Draft::new(dir.path(), facts.kind(), "swift", "swiftpm");
                draft.target = Some(name.clone());
                let found = Evidence::new("entry", &name, "swift.executable-target");
                draft.evidence.push(found.at(&manifest, Some(line)));
                let what = format!("`{name}` is an executable target of `Package.swift`");
                facts.tell(&mut draft, &CALLS, &what);
                let problem = packaged::toolchain(scan, &mut draft, &manifest, "Swift", &["swift"]);
                let word = quoted(&name);
                draft.spec.build.commands = vec![format!(
                    "swift build -c release --static-swift-stdlib --product {word}"
                )];
                let from = format!(".build/release/{name}");
                let runtime = ["ca-certificates-bundle", "glibc", "libgcc", "libstdc++"];
                packaged::program(scan, &mut draft, &from, &name, &runtime);
                packaged::finish(scan, draft, problem);
            }
        }
    }
}
