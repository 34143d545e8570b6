//! Haskell: the executables of packages, built with Stack or Cabal.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Provider, Scan, quoted};
use crate::detect::repo::Dir;
use crate::detect::source::Family;

use super::packaged::{self, Calls};

pub(crate) struct Haskell;

const LANGUAGE: Language = Language {
    name: "Haskell",
    build_systems: &["cabal", "stack"],
    frameworks: &["scotty", "servant", "warp", "yesod"],
    manifests: &[".cabal", "package.yaml"],
};

const LOOKS_LIKE: &str = "a Haskell package";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("import Web.Scotty", Some("scotty")),
        ("import Yesod", Some("yesod")),
        ("import Servant", Some("servant")),
        ("import Network.Wai.Handler.Warp", Some("warp")),
        ("warpEnv", Some("yesod")),
    ],
    ports: &["scotty ", "run ", "warp "],
    defaults: &[("yesod", 3000)],
};

impl Provider for Haskell {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &[".cabal", "package.yaml"], LOOKS_LIKE) {
            let found = match hpack(scan, dir) {
                Some(found) => found,
                None => match cabal(dir) {
                    Some(found) => found,
                    None => continue,
                },
            };
            let Package { file, executables } = found;
            if executables.is_empty() {
                let reason = "it has no executable: it is a library";
                scan.reject(dir.path(), LOOKS_LIKE, reason);
            }
            for (line, name) in packaged::bounded(scan, &file, executables) {
                app(scan, dir, &file, line, &name);
            }
        }
    }
}

/// What a manifest says of its package.
struct Package {
    file: String,
    /// Their names, each with its line.
    executables: Vec<(Option<u64>, String)>,
}

/// The executables of a `package.yaml` as hpack reads it.
fn hpack(scan: &mut Scan<'_>, dir: Dir<'_>) -> Option<Package> {
    let document = scan.document(&dir.join("package.yaml"), Syntax::Yaml)?;
    let is_haskell = ["ghc-options", "executables", "library", "executable"]
        .iter()
        .any(|key| document.get(&[key]).is_some());
    if !is_haskell {
        return None;
    }
    let names = document.keys(&["executables"]);
    let names = names
        .into_iter()
        .map(|name| (document.line(&["executables", name]), name.to_owned()));
    Some(Package {
        file: document.file.clone(),
        executables: names.collect(),
    })
}

/// The stanzas `executable NAME` of a cabal file.
fn cabal(dir: Dir<'_>) -> Option<Package> {
    let name = dir.files().iter().find(|name| name.ends_with(".cabal"))?;
    let text = dir.text(name).ok()?;
    let found = text.lines().zip(1..).filter_map(|(line, number)| {
        let (word, rest) = line.split_once(char::is_whitespace)?;
        let name = rest.split("--").next().unwrap_or_default().trim();
        (word.eq_ignore_ascii_case("executable") && !name.is_empty())
            .then(|| (Some(number), name.to_owned()))
    });
    Some(Package {
        file: dir.join(name),
        executables: found.collect(),
    })
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, manifest: &str, line: Option<u64>, name: &str) {
    let stack = dir.upwards().find(|above| above.has("stack.yaml"));
    let system = if stack.is_some() { "stack" } else { "cabal" };
    let facts = packaged::facts(scan, dir.path(), &["hs"], Family::Haskell, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "haskell", system);
    draft.target = Some(name.to_owned());
    draft
        .evidence
        .push(Evidence::new("entry", name, "haskell.executable").at(manifest, line));
    facts.tell(
        &mut draft,
        &CALLS,
        &format!("`{name}` is an executable of the package"),
    );
    let build = &mut draft.spec.build;
    let word = quoted(name);
    let problem = if let Some(stack) = stack {
        build.commands = vec![format!(
            "stack build --system-ghc --copy-bins --local-bin-path /out {}",
            quoted(&format!(":{name}"))
        )];
        let file = stack.join("stack.yaml");
        if let Some(document) = scan.document(&file, Syntax::Yaml)
            && let Some(key) = ["resolver", "snapshot"]
                .into_iter()
                .find(|key| document.str(&[*key]).is_some())
            && let Some(resolver) = document.str(&[key])
        {
            draft.evidence.push(
                Evidence::new("toolchain", resolver, "haskell.resolver")
                    .at(&file, document.line(&[key]))
                    .note("the snapshot decides the version of GHC"),
            );
        }
        packaged::toolchain(scan, &mut draft, manifest, "Haskell", &["ghc", "stack"])
    } else {
        build.commands = vec![
            "cabal update".to_owned(),
            format!("cabal install exe:{word} --installdir=/out --install-method=copy"),
        ];
        packaged::toolchain(scan, &mut draft, manifest, "Haskell", &["ghc", "cabal"])
    };
    let runtime = ["ca-certificates-bundle", "glibc", "gmp", "libgcc"];
    packaged::program(scan, &mut draft, &format!("/out/{name}"), name, &runtime);
    packaged::finish(scan, draft, problem);
}
