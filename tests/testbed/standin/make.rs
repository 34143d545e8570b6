//! Makes the repository: what is there and unchanged stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::apk::{self, Key, Node, Package};
use crate::inputs::{self, Inputs};
use crate::recipe::{self, Recipe, Set};
use crate::{Result, base, check, elf, say, stage};

/// Part of every cache key: to be raised when the same recipe makes other bytes.
const REVISION: u32 = 3;
const KEY_NAME: &str = "standin.rsa.pub";
const DESCRIPTION: &str = "peelbox test stand-in, not Wolfi: ordinary packages under Wolfi's names";
const CREATOR: &str = "Tool: peelbox-standin (a test stand-in, not Wolfi)";

/// What is remembered of a package that was made.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Made {
    /// The key it was made under.
    key: String,
    /// Its file in the repository.
    pub(crate) file: String,
    /// Its record in the index.
    pub(crate) record: String,
    /// Packages that may have its files too.
    #[serde(default)]
    pub(crate) replaces: Vec<String>,
    /// Its files and links.
    pub(crate) files: BTreeSet<String>,
    /// Its directories.
    pub(crate) directories: BTreeSet<String>,
}

/// The folders of the stand-in.
struct Folders {
    repository: PathBuf,
    state: PathBuf,
    keys: PathBuf,
    inputs: PathBuf,
}

/// Makes what a set needs below `out`.
pub(crate) fn make(set: Set, out: &Path, keep_unpacked: bool) -> Result<()> {
    let start = Instant::now();
    let folders = Folders {
        repository: out.join("repo/x86_64"),
        state: out.join("state"),
        keys: out.join("keys"),
        inputs: out.join("inputs"),
    };
    for folder in [&folders.repository, &folders.state, &folders.keys] {
        fs::create_dir_all(folder)?;
    }
    let mut recipes = recipe::read(set)?;
    let mut inputs = Inputs::open(&folders.inputs)?;
    let names: BTreeSet<&str> = recipes.iter().flat_map(Recipe::inputs).collect();
    inputs.fetch(&names)?;
    recipes.retain(|recipe| fits(recipe, &inputs));
    let workshop = Workshop {
        versions: versions(&recipes, &inputs)?,
        signer: key(&folders.keys)?,
        inputs,
        folders,
    };
    let mut stale = Vec::new();
    let mut made = BTreeMap::new();
    for recipe in &recipes {
        let key = workshop.cache_key(recipe)?;
        match workshop.remembered(recipe, &key) {
            Some(one) => drop(made.insert(recipe.name.clone(), one)),
            None => stale.push((recipe, key)),
        }
    }
    let all = stale.len();
    made.extend(workshop.packages(stale)?);
    if !keep_unpacked {
        workshop.inputs.tidy()?;
    }
    check::repository(&made)?;
    workshop.publish(&made)?;
    base::image(out, &recipes, &made, &workshop.signer)?;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "{} packages, {all} of them new, {seconds:.1} s",
        made.len()
    ));
    Ok(())
}

/// What packages are made with.
struct Workshop {
    folders: Folders,
    inputs: Inputs,
    signer: Key,
    versions: BTreeMap<String, String>,
}

impl Workshop {
    /// A digest of all that decides the bytes of a package.
    fn cache_key(&self, recipe: &Recipe) -> Result<String> {
        let mut text = format!("{REVISION}\n{}\n", serde_json::to_string(recipe)?);
        for input in recipe.inputs() {
            let found = self.inputs.get(input)?;
            text.push_str(&format!("{input} {} {}\n", found.version, found.sha256));
        }
        for atom in recipe.depends.iter().chain(&recipe.provides) {
            text.push_str(&self.filled(atom, recipe)?);
            text.push('\n');
        }
        text.push_str(&apk::hex(&apk::sha256(self.signer.public_der())));
        Ok(apk::hex(&apk::sha256(text.as_bytes())))
    }

    /// The package as an earlier run made it, if it still holds.
    fn remembered(&self, recipe: &Recipe, key: &str) -> Option<Made> {
        let bytes = fs::read(self.state(recipe)).ok()?;
        let one: Made = serde_json::from_slice(&bytes).ok()?;
        (one.key == key && self.folders.repository.join(&one.file).exists()).then_some(one)
    }

    /// Where a package is remembered.
    fn state(&self, recipe: &Recipe) -> PathBuf {
        self.folders.state.join(format!("{}.json", recipe.name))
    }

    /// Makes packages of their unpacked inputs.
    fn packages(&self, stale: Vec<(&Recipe, String)>) -> Result<Vec<(String, Made)>> {
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        let inputs = stale
            .iter()
            .flat_map(|(recipe, _)| &recipe.from)
            .map(String::as_str);
        let inputs: BTreeSet<&str> = inputs.collect();
        say(&format!(
            "unpacking {} inputs, making {} packages",
            inputs.len(),
            stale.len()
        ));
        in_parallel(inputs.into_iter().collect(), |name| {
            self.inputs.unpack(name)
        })?;
        in_parallel(stale, |(recipe, key)| {
            let made = self.package(recipe, &key);
            let made = made.map_err(|error| format!("`{}`: {error}", recipe.name))?;
            Ok((recipe.name.clone(), made))
        })
    }

    fn package(&self, recipe: &Recipe, key: &str) -> Result<Made> {
        let package = self.described(recipe)?;
        let built = package.try_build(&self.signer)?;
        write(
            &self.folders.repository.join(&built.file_name),
            &built.bytes,
        )?;
        let sbom = package.sbom_path();
        let (files, directories) =
            built
                .paths
                .into_iter()
                .partition(|path| match package.tree.get(path) {
                    Some(node) => !matches!(node, Node::Directory { .. }),
                    None => *path == sbom,
                });
        let made = Made {
            key: key.to_owned(),
            file: built.file_name,
            record: built.record,
            replaces: recipe.replaces.clone(),
            files,
            directories,
        };
        write(&self.state(recipe), &serde_json::to_vec(&made)?)?;
        Ok(made)
    }

    /// The package with all that its index record says.
    fn described(&self, recipe: &Recipe) -> Result<Package> {
        let version = &self.versions[&recipe.name];
        let mut package = Package::new(&recipe.name, version)
            .origin(recipe.origin.as_ref().unwrap_or(&recipe.name))
            .license(&recipe.license);
        package.tree = stage::tree(recipe, &self.inputs)?;
        if recipe.name == "wolfi-keys" {
            for place in [
                "etc/apk/keys",
                "usr/share/apk/keys",
                "usr/share/apk/keys/x86_64",
            ] {
                let path = format!("{place}/{KEY_NAME}");
                package = package.file(&path, 0o644, self.signer.public_pem());
            }
        }
        let computed = elf::relations(&package.tree, version)?;
        package.depends = self.atoms(&recipe.depends, recipe, computed.depends)?;
        let mut provides = computed.provides;
        provides.retain(|atom| {
            !recipe
                .private
                .iter()
                .any(|name| atom.contains(name.as_str()))
        });
        package.provides = self.atoms(&recipe.provides, recipe, provides)?;
        package.replaces.clone_from(&recipe.replaces);
        package.provider_priority = recipe.priority;
        package.triggers.clone_from(&recipe.triggers);
        package.description = format!("{} (test stand-in)", recipe.about);
        package.sbom_creator = Some(CREATOR.to_owned());
        package.commit = apk::hex(&apk::sha1(serde_json::to_string(recipe)?.as_bytes()));
        if let Some(input) = recipe.from.first().or(recipe.whole.values().next()) {
            package.source = Some(self.inputs.get(input)?.purl(input));
        }
        for (member, text) in &recipe.scripts {
            package = package.script(member, text);
        }
        let melange = format!("package:\n  name: {}\n  version: {version}\n", recipe.name);
        Ok(package.script(".melange.yaml", &melange))
    }

    /// Written and computed atoms, each once.
    fn atoms(
        &self,
        written: &[String],
        recipe: &Recipe,
        computed: BTreeSet<String>,
    ) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for atom in written {
            all.push(self.filled(atom, recipe)?);
        }
        all.extend(computed);
        let mut seen = BTreeSet::new();
        all.retain(|atom| seen.insert(atom.clone()));
        Ok(all)
    }

    /// An atom with `{version}` replaced by the package's own version, `{NAME}` by another's.
    fn filled(&self, atom: &str, recipe: &Recipe) -> Result<String> {
        let Some((head, rest)) = atom.split_once('{') else {
            return Ok(atom.to_owned());
        };
        let (name, tail) = rest.split_once('}').ok_or("an atom lacks its `}`")?;
        let name = if name == "version" {
            recipe.name.as_str()
        } else {
            name
        };
        let version = self
            .versions
            .get(name)
            .ok_or_else(|| format!("no version of `{name}`"))?;
        Ok(format!("{head}{version}{tail}"))
    }

    /// Writes the signed index, if it is another one.
    fn publish(&self, made: &BTreeMap<String, Made>) -> Result<()> {
        let records = made.values().map(|one| one.record.as_str());
        let index = apk::index(DESCRIPTION, records, &self.signer);
        write_if_new(&self.folders.repository.join("APKINDEX.tar.gz"), &index)
    }
}

/// Whether a package made of the machine's toolchain has the name of its stream.
fn fits(recipe: &Recipe, inputs: &Inputs) -> bool {
    let stream = recipe.name.trim_start_matches("rust-");
    let fits = recipe.version != "rust:"
        || inputs
            .get("rust:")
            .is_ok_and(|input| input.version.starts_with(&format!("{stream}.")));
    if !fits {
        say(&format!(
            "left out: `{}`, the machine has another toolchain",
            recipe.name
        ));
    }
    fits
}

/// The key of the repository, made by the first run.
fn key(folder: &Path) -> Result<Key> {
    let private = folder.join("standin.rsa");
    if !private.exists() {
        let part = folder.join("standin.rsa.part");
        inputs::run(
            Command::new("openssl")
                .args([
                    "genpkey",
                    "-algorithm",
                    "RSA",
                    "-pkeyopt",
                    "rsa_keygen_bits:4096",
                    "-out",
                ])
                .arg(&part),
        )?;
        fs::rename(part, &private)?;
    }
    let key = Key::from_pem(KEY_NAME, &fs::read_to_string(&private)?)?;
    write_if_new(&folder.join(KEY_NAME), key.public_pem().as_bytes())?;
    Ok(key)
}

/// The version of every package, by name.
fn versions(recipes: &[Recipe], inputs: &Inputs) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for recipe in recipes {
        let version = if recipe.version.contains(':') {
            format!(
                "{}-r{}",
                upstream(&inputs.get(&recipe.version)?.version),
                recipe.release
            )
        } else {
            recipe.version.clone()
        };
        versions.insert(recipe.name.clone(), version);
    }
    Ok(versions)
}

/// The upstream version in a version of Debian's: `1:1.3.dfsg+really1.3.2-3` is 1.3.2.
fn upstream(version: &str) -> String {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.rsplit_once('-').map_or(version, |(rest, _)| rest);
    let version = version
        .rsplit_once("really")
        .map_or(version, |(_, rest)| rest);
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (number, rest) = version.split_at(end);
    let letter = rest
        .chars()
        .next()
        .filter(|c| rest.len() == 1 && c.is_ascii_lowercase());
    let mut number = number.trim_end_matches('.').to_owned();
    number.extend(letter);
    number
}

/// Works through a list with as many threads as the machine has.
fn in_parallel<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let queue = Mutex::new(items);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.pop());
                    let Some(item) = next else { break };
                    let result = work(item);
                    let failed = result.is_err();
                    if let Ok(mut results) = results.lock() {
                        results.push(result);
                    }
                    if failed {
                        break;
                    }
                }
            });
        }
    });
    let results = results.into_inner().map_err(|_| "a thread panicked")?;
    results.into_iter().collect()
}

/// Writes a file under its final name only when it is whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, bytes)?;
    fs::rename(part, path)?;
    Ok(())
}

/// Writes a file whose time shall not change without its content.
pub(crate) fn write_if_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::upstream;

    #[test]
    fn the_upstream_version_is_found_in_a_debian_version() {
        for (debian, wanted) in [
            ("1:1.3.dfsg+really1.3.2-3", "1.3.2"),
            ("2026f-1", "2026f"),
            ("21.0.12.1+1-1~deb13u1", "21.0.12.1"),
            ("2.43-7", "2.43"),
            ("26.10.0", "26.10.0"),
            ("2:6.3.0+dfsg-5+b2", "6.3.0"),
        ] {
            assert_eq!(upstream(debian), wanted);
        }
    }
}
