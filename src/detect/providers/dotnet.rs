//! .NET: C#, F# and Visual Basic.

mod msbuild;
mod run;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, quoted, shown, tree_glob,
};
use crate::detect::repo::{is_within, join, split, upwards};
use crate::detect::source::Fact;
use crate::spec::{Copy, Kind};
use crate::wolfi::Pattern;

use super::static_site;
use msbuild::Project;
use version::Target;

pub(crate) struct DotNet;

const LANGUAGE: Language = Language {
    name: "C#, F#, Visual Basic",
    build_systems: &["dotnet"],
    frameworks: &["aspnet", "blazor"],
    manifests: &[".csproj", ".fsproj", ".sln", ".slnx", ".vbproj"],
};

const LOOKS_LIKE: &str = "a .NET project";
const OUT: &str = "/out";
/// The port on which the web server's configuration serves a static site.
const STATIC_PORT: u16 = 8080;

impl Provider for DotNet {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let projects = msbuild::projects(scan, LOOKS_LIKE);
        let solutions = msbuild::solutions(scan);
        for project in projects.values() {
            // The pages of a project are a part of what it publishes.
            let pages = join(&project.dir, "wwwroot");
            scan.claims.insert(pages, format!("`{}`", project.file));
            let decision = decide(project, &projects);
            let role = match decision {
                Decision::App(role) => role,
                Decision::NoApp(reason) => {
                    scan.reject(&project.dir, LOOKS_LIKE, named(project, &reason, &projects));
                    continue;
                }
                Decision::Refused(problem) => {
                    let is_web = project.is_old() || is_web(project);
                    let kind = if is_web { Kind::Web } else { Kind::Worker };
                    let mut draft = draft(project, kind, &projects);
                    let line = project.property("OutputType").map(|found| found.line);
                    let evidence = Evidence::new("entry", split(&project.file).1, "dotnet.project");
                    draft
                        .evidence
                        .push(evidence.at(&project.file, line).written("Exe"));
                    draft.is_so("dotnet.project", None);
                    scan.refuse(draft, problem);
                    continue;
                }
            };
            let mut draft = draft(project, role.kind, &projects);
            let app = App {
                project,
                closure: closure(project, &projects),
                others: projects.values().map(|other| other.dir.clone()).collect(),
                role,
            };
            if let Some(solution) = solutions.get(&project.file) {
                let evidence = Evidence::new("app", &solution.value, "dotnet.solution");
                draft
                    .evidence
                    .push(evidence.at(&solution.file, Some(solution.line)));
            }
            match app.write(scan, &mut draft) {
                Ok(()) => scan.drafts.push(draft),
                Err(problem) => scan.refuse(draft, problem),
            }
        }
    }
}

/// A reason that says which project, where a directory has several.
fn named(project: &Project, reason: &str, projects: &BTreeMap<String, Project>) -> String {
    let here = projects
        .values()
        .filter(|other| other.dir == project.dir)
        .count();
    if here > 1 {
        format!("`{}`: {reason}", split(&project.file).1)
    } else {
        reason.to_owned()
    }
}

fn draft(project: &Project, kind: Kind, projects: &BTreeMap<String, Project>) -> Draft {
    let mut draft = Draft::new(&project.dir, kind, project.language, "dotnet");
    let here = projects
        .values()
        .filter(|other| other.dir == project.dir)
        .count();
    let place = if here > 1 {
        &mut draft.target
    } else {
        &mut draft.fallback
    };
    *place = Some(project.name.clone());
    draft
}

/// What a project is started as.
struct Role {
    kind: Kind,
    framework: Option<&'static str>,
    evidence: Evidence,
}

enum Decision {
    App(Role),
    NoApp(String),
    Refused(Problem),
}

/// Packages that only tests have.
const TESTS: &[&str] = &[
    "MSTest",
    "Microsoft.NET.Test.Sdk",
    "TUnit",
    "nunit",
    "xunit",
    "xunit.v3",
];

fn decide(project: &Project, projects: &BTreeMap<String, Project>) -> Decision {
    if let Some(reason) = no_app(project, projects) {
        return Decision::NoApp(reason);
    }
    let is_library = is_output(project, "Library");
    if let Some(problem) = windows_only(project) {
        let is_app =
            is_output(project, "Exe") || is_web(project) || project.is_old() && !is_library;
        return if is_app {
            Decision::Refused(problem)
        } else {
            Decision::NoApp("it is a library of the .NET Framework".to_owned())
        };
    }
    if is_library {
        return Decision::NoApp("it is a class library".to_owned());
    }
    if let Some(role) = by_sdk(project).or_else(|| by_output(project)) {
        return Decision::App(role);
    }
    let user = projects
        .values()
        .find(|other| other.references().contains(&project.file));
    Decision::NoApp(match user {
        Some(user) => format!("it is a class library: `{}` refers to it", shown(&user.dir)),
        None => "it is a class library".to_owned(),
    })
}

fn package(project: &Project, names: &[&str]) -> Option<Fact<String>> {
    let packages = project.items("PackageReference");
    let mut found = packages.into_iter();
    found.find(|package| {
        names
            .iter()
            .any(|name| package.value.eq_ignore_ascii_case(name))
    })
}

fn sdk(project: &Project, name: &str) -> Option<Fact<String>> {
    project.sdks().into_iter().find(|found| found.value == name)
}

fn is_output(project: &Project, kind: &str) -> bool {
    let output = project.property("OutputType");
    output.is_some_and(|found| found.value.eq_ignore_ascii_case(kind))
}

/// Why a project is no app, whatever it is built as.
fn no_app(project: &Project, projects: &BTreeMap<String, Project>) -> Option<String> {
    if let Some(found) = package(project, TESTS) {
        return Some(format!(
            "it is a test project: it refers to `{}`",
            found.value
        ));
    }
    if project.is_true("IsTestProject").is_some() || sdk(project, "MSTest.Sdk").is_some() {
        return Some("it is a test project".to_owned());
    }
    if package(project, &["BenchmarkDotNet"]).is_some() {
        return Some("it holds benchmarks".to_owned());
    }
    if sdk(project, "Aspire.AppHost.Sdk").is_some() || project.is_true("IsAspireHost").is_some() {
        return Some("it starts the other projects while they are developed".to_owned());
    }
    let windows = ["UseMaui", "UseWPF", "UseWindowsForms"];
    if is_output(project, "WinExe") || windows.iter().any(|name| project.is_true(name).is_some()) {
        return Some("it is an app with windows of its own, for desktops or phones".to_owned());
    }
    sdk(project, "Microsoft.NET.Sdk.BlazorWebAssembly")?;
    let serves = |other: &&Project| is_web(other) && other.references().contains(&project.file);
    let server = projects.values().find(serves)?;
    Some(format!(
        "`{}` serves it as a part of itself",
        shown(&server.dir)
    ))
}

/// What the kit says that it is.
fn by_sdk(project: &Project) -> Option<Role> {
    const KITS: &[(&str, Kind, Option<&str>)] = &[
        (
            "Microsoft.NET.Sdk.BlazorWebAssembly",
            Kind::Static,
            Some("blazor"),
        ),
        ("Microsoft.NET.Sdk.Web", Kind::Web, Some("aspnet")),
        ("Microsoft.NET.Sdk.Worker", Kind::Worker, None),
    ];
    KITS.iter().find_map(|(name, kind, framework)| {
        let found = sdk(project, name)?;
        let evidence = Evidence::new("entry", &found.value, "dotnet.sdk");
        Some(Role {
            kind: *kind,
            framework: *framework,
            evidence: evidence.at(&found.file, Some(found.line)),
        })
    })
}

/// A program by its output.
fn by_output(project: &Project) -> Option<Role> {
    const COMMAND_LINE: &[&str] = &[
        "Argu",
        "CommandLineParser",
        "McMaster.Extensions.CommandLineUtils",
        "Spectre.Console.Cli",
        "System.CommandLine",
    ];
    let found = project.property("OutputType")?;
    if !found.value.eq_ignore_ascii_case("exe") {
        return None;
    }
    let evidence = Evidence::new("entry", &found.value, "dotnet.output-type");
    let is_tool =
        project.is_true("PackAsTool").is_some() || package(project, COMMAND_LINE).is_some();
    Some(Role {
        kind: if is_tool { Kind::Cli } else { Kind::Worker },
        framework: None,
        evidence: evidence.at(&found.file, Some(found.line)),
    })
}

/// Why a project cannot be built for Linux.
fn windows_only(project: &Project) -> Option<Problem> {
    let help = "move it to a current .NET, which `dotnet-upgrade-assistant` helps with";
    if project.is_old() {
        let message = "a project of the .NET Framework is built and run on Windows only";
        return Some(Problem::new(&project.file, Some(project.line()), message).help(help));
    }
    let asked = targets(project)?;
    let is_old = |text: &str| matches!(version::target(text), Some(Target::Framework));
    let all = asked
        .value
        .split(';')
        .filter(|text| !text.trim().is_empty());
    let mut all = all.peekable();
    all.peek()?;
    all.all(is_old).then(|| {
        let message = format!(
            "`{}` is the .NET Framework, which runs on Windows only",
            asked.value
        );
        Problem::new(&asked.file, Some(asked.line), message).help(help)
    })
}

fn targets(project: &Project) -> Option<Fact<String>> {
    project
        .property("TargetFramework")
        .or_else(|| project.property("TargetFrameworks"))
}

/// The project and those that it refers to.
fn closure<'p>(project: &'p Project, projects: &'p BTreeMap<String, Project>) -> Vec<&'p Project> {
    let mut found = vec![project];
    let mut known = BTreeSet::from([&project.file]);
    let mut at = 0;
    while let Some(one) = found.get(at).copied() {
        for file in one.references() {
            if let Some(other) = projects.get(file)
                && known.insert(&other.file)
            {
                found.push(other);
            }
        }
        at += 1;
    }
    found
}

/// A project that is an app.
struct App<'p> {
    project: &'p Project,
    closure: Vec<&'p Project>,
    /// The directories of all projects.
    others: Vec<String>,
    role: Role,
}

fn is_web(project: &Project) -> bool {
    sdk(project, "Microsoft.NET.Sdk.Web").is_some()
}

impl App<'_> {
    fn write(&self, scan: &mut Scan<'_>, draft: &mut Draft) -> Result<(), Problem> {
        let project = self.project;
        draft.evidence.push(self.role.evidence.clone());
        draft.spec.metadata.framework = self.role.framework.map(str::to_owned);
        if let Some(framework) = self.role.framework {
            let written = &self.role.evidence.value;
            let evidence = Evidence::new("framework", framework, "dotnet.sdk").written(written);
            let line = self.role.evidence.line;
            draft.evidence.push(evidence.at(&project.file, line));
        }
        draft.spec.metadata.confidence = Some(95);
        draft.spec.metadata.reasoning = Some(format!(
            "`{}` says `{}`",
            project.file, self.role.evidence.value
        ));
        let asked = targets(project).ok_or_else(|| {
            let message = "does not say which .NET it is for";
            Problem::new(&project.file, Some(project.line()), message).help("set `TargetFramework`")
        })?;
        let (framework, major) = newest(&asked).ok_or_else(|| {
            let message = format!(
                "`{}` is no target framework that runs on Linux",
                asked.value
            );
            Problem::new(&asked.file, Some(asked.line), message)
        })?;
        let names = ["TargetFramework", "TargetFrameworks"];
        let place = names
            .iter()
            .find_map(|name| project.place(name, &framework));
        let fact = Fact {
            value: framework.clone(),
            ..place.unwrap_or_else(|| asked.clone())
        };
        let toolchain = version::choose(scan, &project.file, &fact, major)?;
        draft.evidence.push(toolchain.evidence.clone());
        let several = asked.value.trim_matches(';').contains(';');
        if self.role.kind == Kind::Static {
            self.serve(scan, draft)?;
        } else {
            self.run(scan, draft, &toolchain, major)?;
        }
        if !draft.evidence.iter().any(|found| found.field == "kind") {
            let place = &self.role.evidence;
            let file = place.file.as_deref().unwrap_or(&project.file);
            draft.is_so(&place.rule, Some((file, place.line, &place.value)));
        }
        let sdk = version::kit(scan, &project.dir, &project.file, toolchain.number)?;
        draft.evidence.extend(sdk.evidence);
        self.build(
            scan,
            draft,
            several.then_some(framework.as_str()),
            sdk.package,
        )
    }

    /// What a framework-dependent build has to turn off, as the project turns it on.
    fn flags(&self, scan: &mut Scan<'_>, draft: &mut Draft) -> String {
        let mut flags = String::new();
        for name in [
            "PublishAot",
            "PublishSingleFile",
            "PublishTrimmed",
            "SelfContained",
        ] {
            let Some(found) = self.project.is_true(name) else {
                continue;
            };
            if self.role.kind == Kind::Static {
                continue;
            }
            flags.push_str(&format!(" -p:{name}=false"));
            let message = format!(
                "`{name}` is turned off: the image has the runtime, and the app is started with it"
            );
            scan.tell(
                crate::detect::explain::Severity::Note,
                &found.file,
                Some(found.line),
                message,
                None,
            );
            let evidence = Evidence::new(
                "build",
                format!("-p:{name}=false"),
                "dotnet.framework-dependent",
            );
            draft
                .evidence
                .push(evidence.at(&found.file, Some(found.line)).written(name));
        }
        flags
    }

    fn build(
        &self,
        scan: &mut Scan<'_>,
        draft: &mut Draft,
        framework: Option<&str>,
        sdk: String,
    ) -> Result<(), Problem> {
        let project = self.project;
        let file = quoted(split(&project.file).1);
        let flags = self.flags(scan, draft);
        let lock = join(&project.dir, "packages.lock.json");
        let locked = if scan.repo.has(&lock) {
            draft.evidence.push(
                Evidence::new("install", "--locked-mode", "dotnet.lock-file").at(&lock, None),
            );
            " --locked-mode"
        } else {
            ""
        };
        let one = framework.map_or_else(String::new, |name| format!(" -f {}", quoted(name)));
        let build = &mut draft.spec.build;
        build.packages = vec![sdk];
        build.install.commands = vec![format!("dotnet restore {file}{locked}{flags}")];
        build.commands = vec![format!(
            "dotnet publish {file} -c Release -o {OUT} --no-restore{one} -p:UseAppHost=false{flags}"
        )];
        let env = [
            ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
            ("DOTNET_NOLOGO", "1"),
            ("NUGET_XMLDOC_MODE", "skip"),
        ];
        build.env = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        // The packages themselves belong to the layer of the restore, whose result names them.
        build.cache = vec!["/root/.local/share/NuGet/http-cache".to_owned()];
        self.files(scan, draft);
        self.node(scan, draft)
    }

    /// What the restore reads, and what the build does.
    fn files(&self, scan: &Scan<'_>, draft: &mut Draft) {
        let mut restore: BTreeSet<String> = BTreeSet::new();
        let mut trees: BTreeSet<String> = BTreeSet::new();
        let mut others: BTreeSet<String> = BTreeSet::new();
        for project in &self.closure {
            restore.insert(project.file.clone());
            restore.extend(project.default_files().cloned());
            restore.extend(
                [join(&project.dir, "packages.lock.json")]
                    .into_iter()
                    .filter(|file| scan.repo.has(file)),
            );
            trees.insert(project.dir.clone());
            for path in project.linked() {
                if scan.repo.dir(&path).is_some() {
                    trees.insert(path);
                } else if scan.repo.has(&path) {
                    others.insert(path);
                }
            }
            for dir in upwards(&project.dir).filter_map(|dir| scan.repo.dir(dir)) {
                for name in dir.files() {
                    match name.to_ascii_lowercase().as_str() {
                        "directory.build.props"
                        | "directory.build.targets"
                        | "directory.packages.props"
                        | "directory.build.rsp"
                        | "nuget.config"
                        | "global.json" => {
                            restore.insert(dir.join(name));
                        }
                        ".editorconfig" | ".globalconfig" | "version.json" | "stylecop.json" => {
                            others.insert(dir.join(name));
                        }
                        _ => {}
                    }
                }
            }
        }
        let build = &mut draft.spec.build;
        build.install.files = restore.iter().map(|file| literal_glob(file)).collect();
        if trees.contains("") {
            return;
        }
        others.extend(restore);
        let is_in_tree = |file: &str| trees.iter().any(|tree| is_within(file, tree));
        let mut globs: BTreeSet<String> = trees.iter().map(|tree| tree_glob(tree)).collect();
        globs.extend(
            others
                .iter()
                .filter(|file| !is_in_tree(file))
                .map(|file| literal_glob(file)),
        );
        build.context = globs.into_iter().collect();
    }

    /// Node.js, where a target of the project runs it.
    fn node(&self, scan: &mut Scan<'_>, draft: &mut Draft) -> Result<(), Problem> {
        let starts = ["npm ", "npx ", "yarn", "pnpm "];
        let commands = self.closure.iter().flat_map(|project| project.commands());
        let found = commands
            .into_iter()
            .find(|command| starts.iter().any(|start| command.value.starts_with(start)));
        let Some(found) = found else {
            let beside = join(&self.project.dir, "package.json");
            if scan.repo.has(&beside)
                && let Some(assets) = super::node::assets(scan, &self.project.dir, "the .NET app")?
            {
                draft.with_assets(assets);
            }
            return Ok(());
        };
        let manager = found.value.split_whitespace().next().unwrap_or("npm");
        let manager = if manager == "npx" { "npm" } else { manager };
        let node = Pattern::new("nodejs-", 1, "").with_default("nodejs");
        let node = scan
            .catalog
            .choose(&node, &|_| true)
            .map(|choice| choice.stream.package);
        for (name, package) in [("nodejs", node), (manager, scan.catalog.package(manager))] {
            let package = package.ok_or_else(|| {
                let message = format!(
                    "the index has no package that provides `{name}`, which the build runs"
                );
                Problem::new(&found.file, Some(found.line), message)
            })?;
            draft.spec.build.packages.push(package);
        }
        let evidence = Evidence::new("assets", &found.value, "dotnet.runs-node");
        draft
            .evidence
            .push(evidence.at(&found.file, Some(found.line)).written(manager));
        for project in &self.closure {
            let below = scan
                .repo
                .below(&project.dir)
                .filter(|one| one.has("package.json"));
            for dir in below {
                scan.claims
                    .insert(dir.path().to_owned(), "the .NET app".to_owned());
            }
        }
        Ok(())
    }

    /// A client that runs in browsers: its files are served.
    fn serve(&self, scan: &Scan<'_>, draft: &mut Draft) -> Result<(), Problem> {
        let server = static_site::server(scan, &self.project.file)?;
        let runtime = &mut draft.spec.runtime;
        runtime.packages = vec![server];
        runtime.copy = vec![Copy {
            from: format!("{OUT}/wwwroot"),
            to: "/app".to_owned(),
        }];
        runtime.ports = vec![STATIC_PORT];
        Ok(())
    }
}

/// The newest target framework that runs on Linux, and its number.
fn newest(asked: &Fact<String>) -> Option<(String, u64)> {
    let all = asked.value.split(';').map(str::trim);
    let numbered = all.filter_map(|text| match version::target(text)? {
        Target::Net(major, None) => Some((text.to_owned(), major)),
        Target::Net(major, Some(system)) if system.starts_with("linux") => {
            Some((text.to_owned(), major))
        }
        _ => None,
    });
    numbered.max_by_key(|(_, major)| *major)
}
